"""Base classes of the kinds of test: what all tests have, and what those with a direction or two arms share."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, model_validator

from lowparam.claims import availability
from lowparam.claims.contrasts import RunCount, Selection, count_arms, count_runs
from lowparam.claims.finding import Finding, strongest, weakest
from lowparam.params import Section

__all__ = ["Arm", "Association", "ClaimTest", "Compared", "Directed", "Sided", "by_architecture"]

Column = Literal["architecture", "probe", "budget"]
Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:+@*{}]+$")]
Arm = dict[Column, Annotated[list[Pattern], Field(min_length=1)]]


class ClaimTest(Section):
    """Test a claim; every kind adds the keys that it needs and judges runs in `find`."""

    id: str = Field(pattern=r"^[a-z0-9_]+$", description="name, unique within the claim")
    about: str = Field(min_length=10, description="what is tested, in a sentence")
    primary: bool = Field(False, description="whether the claim is judged by this test; one per claim")
    outcome: str = Field(description="column of runs.csv, or test_error")
    experiment: str = Field(description="experiment, or study, that has the runs")
    figure: str | None = Field(None, description="figure that shows it, if not that of its kind")
    paper_value: float | None = Field(None, description="the paper's own value, in the unit of the estimate")
    paper_where: str = Field("", description="the data that the paper measured it on")

    @model_validator(mode="after")
    def _value_has_a_place(self) -> "ClaimTest":
        if (self.paper_value is None) != (not self.paper_where):
            raise ValueError("paper_value and paper_where go together")
        return self

    def find(self, runs: pd.DataFrame) -> Finding:
        """Judge the runs of one experiment.

        Parameters
        ----------
        runs : DataFrame
            As in runs.csv; for kinds with ``DATA = "ranks"`` the stacked tables of a study.

        Raises
        ------
        NotTested
            If a run that is needed is missing.
        """
        raise NotImplementedError

    def arms(self) -> list[Selection]:
        """Return every selection of runs of the test."""
        return availability.arms(self.model_dump(exclude_none=True))

    def counts(self, runs: pd.DataFrame) -> list[RunCount]:
        """Count the runs of each arm that has to have trained for the test to say something.

        An arm is an architecture with a probe, as in tuning: of a mean over several, one that did not train would
        decide alone.
        """
        return count_arms(runs, self.arms())

    @property
    def left_out(self) -> list[str]:
        """Patterns of architectures that its arms match, and that are nevertheless not judged."""
        return []

    @property
    def shown_in(self) -> str:
        """Name of the figure that shows the test."""
        return availability.figure_of(self.model_dump(exclude_none=True))

    @property
    def data(self) -> str:
        """What the test is judged on: ``runs`` of networks, or ``ranks``."""
        return availability.kind_constants(self.model_dump()["kind"])["DATA"]


class Sided(ClaimTest):
    """Test an effect that the claim predicts above or below zero."""

    direction: Literal["greater", "less"] = Field(description="direction that the claim predicts")


class Association(Sided):
    """Test how two columns go together over architectures or parts, which are its unit.

    Those that did not train are left out and named; the arm is all of them together.
    """

    def counts(self, runs: pd.DataFrame) -> list[RunCount]:
        return [count_runs(runs, self.arms(), self.left_out)]

    @property
    def left_out(self) -> list[str]:
        """Those in ``without``, and variants of a recipe, which are not architectures of their own."""
        return [*getattr(self, "without", ()), "*@*"]


class Directed(Sided):
    """Test an effect that the claim predicts on one side of a margin."""

    margin: float = Field(0.0, description="smallest effect that counts, in the predicted direction")


class Compared(Directed):
    """Test one arm, or one arm against another or against each of its architectures."""

    plus: Arm = Field(description="runs that the claim is about")
    minus: Arm | None = Field(None, description="runs that they are compared with")
    every: bool = Field(False, description="must hold against each architecture of minus, not against their mean")
    some: bool = Field(False, description="must hold for one architecture of plus, not for their mean")

    @model_validator(mode="after")
    def _something_to_compare_with(self) -> "Compared":
        if self.every and (self.minus is None or "architecture" not in self.minus):
            raise ValueError("every needs architectures in minus")
        return self

    def find(self, runs: pd.DataFrame) -> Finding:
        if self.some:
            arms = by_architecture(self.plus)
            alone = {name: self.model_copy(update={"plus": arm, "some": False}) for name, arm in arms.items()}
            return strongest({name: test.find(runs) for name, test in alone.items()})
        if self.every:
            findings = {name: self.against(runs, arm) for name, arm in by_architecture(self.minus).items()}
            return weakest(findings, "against")
        return self.against(runs, self.minus)

    def against(self, runs: pd.DataFrame, minus: Arm | None) -> Finding:
        """Judge `plus` against an arm, or by itself."""
        raise NotImplementedError


def by_architecture(arm: Arm) -> dict[str, Arm]:
    """Split an arm into its architectures."""
    return {name: {**arm, "architecture": [name]} for name in arm["architecture"]}
