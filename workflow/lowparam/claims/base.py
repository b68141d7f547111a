"""What all kinds of test have in common."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, model_validator

from lowparam.claims.finding import Finding, weakest
from lowparam.claims.kinds.contrast import Where
from lowparam.params import Section

__all__ = ["Arm", "Compared", "Directed", "Kind", "Sided", "by_architecture"]

Column = Literal["architecture", "probe", "budget"]
Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:@*{}+]+$")]
Arm = dict[Column, Annotated[list[Pattern], Field(min_length=1)]]


class Kind(Section):
    """A test of a claim. Every kind adds what it compares, and says in `find` how."""

    id: str = Field(pattern=r"^[a-z0-9_]+$", description="name within the claim")
    about: str = Field(min_length=10, description="what is tested, in a sentence")
    primary: bool = Field(False, description="the test that the claim stands or falls with; one a claim")
    outcome: str = Field(description="column of runs.csv, or test_error")
    run: str = Field(description="experiment that has the runs")
    best_variant: bool = Field(False, description="of the variants of a recipe, take the best in validation")
    experiments: list[str] = Field(["*"], min_length=1, description="patterns of experiments it can be judged on")
    paper_value: float | None = Field(None, description="the paper's own value, in the unit of the estimate")
    paper_where: str = Field("", description="what the paper measured it on")

    @model_validator(mode="after")
    def _value_has_a_place(self) -> "Kind":
        if (self.paper_value is None) != (not self.paper_where):
            raise ValueError("paper_value and paper_where go together")
        return self

    def find(self, runs: pd.DataFrame) -> Finding:
        """Judge the runs of one experiment.

        Raises
        ------
        NotTested
            If a run that is needed is not there.
        """
        raise NotImplementedError

    def arms(self) -> list[Where]:
        """The selections of runs that the test uses, for counting those that diverged."""
        raise NotImplementedError


class Sided(Kind):
    """A test of an effect that the claim expects above or below zero."""

    direction: Literal["greater", "less"] = Field(description="where the claim sees the effect")


class Directed(Sided):
    """A test of an effect that the claim expects on one side of a margin."""

    margin: float = Field(0.0, description="smallest effect that counts, in the direction of the claim")


class Compared(Directed):
    """A test of one arm, or of one arm against another or against each of its architectures."""

    plus: Arm = Field(description="runs that the claim is about")
    minus: Arm | None = Field(None, description="runs they are set against")
    every: bool = Field(False, description="must hold against each architecture of minus, not their mean")

    @model_validator(mode="after")
    def _something_to_compare_with(self) -> "Compared":
        if self.every and (self.minus is None or "architecture" not in self.minus):
            raise ValueError("every needs architectures in minus")
        return self

    def find(self, runs: pd.DataFrame) -> Finding:
        if self.every:
            each = {name: self.against(runs, arm) for name, arm in by_architecture(self.minus).items()}
            return weakest(each, "against")
        return self.against(runs, self.minus)

    def arms(self) -> list[Where]:
        return [self.plus, *([self.minus] if self.minus else [])]

    def against(self, runs: pd.DataFrame, minus: Arm | None) -> Finding:
        """Judge `plus` against an arm, or by itself."""
        raise NotImplementedError


def by_architecture(arm: Arm) -> dict[str, Arm]:
    """Split an arm into its architectures."""
    return {name: {**arm, "architecture": [name]} for name in arm["architecture"]}
