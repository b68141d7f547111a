"""Paired difference between two arms, or between one arm and a reference, over the same seeds and budgets."""

from typing import Literal

import pandas as pd
from pydantic import Field

from lowparam.claims.base import Arm, Compared
from lowparam.claims.contrasts import contrast, over_budgets, unit_of
from lowparam.claims.finding import Finding, from_seeds

__all__ = ["Paired"]

QUESTION = "is one arm above another, or above a reference value?"
DATA = "runs"
NEEDS = ("arms",)
FIGURE = {"*_accuracy": "accuracy", "*": "interference"}


class Paired(Compared):
    """Test the mean over budgets of plus - minus, with seeds as the unit.

    Runs of one seed share the order of their data, so the arms are paired by seed. The differences of a seed are
    averaged over budgets first, because runs of one seed need not be independent.
    """

    kind: Literal["paired"]
    reference: float | str = Field(
        0.0, description="without minus: a number, or a column with the null value of each run"
    )
    matched: str | None = Field(None, description="column that must be equal within 5 % in a budget")

    def against(self, runs: pd.DataFrame, minus: Arm | None) -> Finding:
        differences = contrast(
            runs, [(1, self.plus, minus)], self.outcome, reference=self.reference, matched=self.matched
        )
        return from_seeds(
            over_budgets(differences), direction=self.direction, margin=self.margin, unit=unit_of(self.outcome)
        )
