"""Paired difference: the same seeds and budgets in two arms, or in one arm and a reference."""

from typing import Literal

import pandas as pd
from pydantic import Field, model_validator

from lowparam.claims.contrast import Where, contrast, over_budgets, unit_of
from lowparam.claims.finding import Finding, from_seeds, weakest
from lowparam.claims.kind import Arm, Directed, by_architecture

__all__ = ["Paired"]


class Paired(Directed):
    """Mean over budgets of plus - minus, with seeds as the unit.

    Seeds share the order of the data, so the two arms of a seed are paired; a seed's differences are averaged over
    budgets first, as runs of one seed need not be independent.
    """

    kind: Literal["paired"]
    plus: Arm = Field(description="runs that the claim is about")
    minus: Arm | None = Field(None, description="runs they are set against")
    reference: float | str = Field(0.0, description="without minus: a number, or a column with the null of a run")
    matched: str | None = Field(None, description="column that must be equal within 5 % in a budget")
    every: bool = Field(False, description="must hold against each architecture of minus, not their mean")

    @model_validator(mode="after")
    def _something_to_compare_with(self) -> "Paired":
        if self.every and (self.minus is None or "architecture" not in self.minus):
            raise ValueError("every needs architectures in minus")
        return self

    def find(self, runs: pd.DataFrame) -> Finding:
        if self.every:
            each = {name: self._against(runs, arm) for name, arm in by_architecture(self.minus).items()}
            return weakest(each, "against")
        return self._against(runs, self.minus)

    def arms(self) -> list[Where]:
        return [self.plus, *([self.minus] if self.minus else [])]

    def _against(self, runs: pd.DataFrame, minus: Arm | None) -> Finding:
        differences = contrast(
            runs, [(1, self.plus, minus)], self.outcome, reference=self.reference, matched=self.matched
        )
        return from_seeds(
            over_budgets(differences), direction=self.direction, margin=self.margin, unit=unit_of(self.outcome)
        )
