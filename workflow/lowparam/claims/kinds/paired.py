"""Paired difference: the same seeds and budgets in two arms, or in one arm and a reference."""

from typing import Literal

import pandas as pd
from pydantic import Field

from lowparam.claims.base import Arm, Compared
from lowparam.claims.finding import Finding, from_seeds
from lowparam.claims.kinds.contrast import contrast, over_budgets, unit_of

__all__ = ["Paired"]


class Paired(Compared):
    """Mean over budgets of plus - minus, with seeds as the unit.

    Seeds share the order of the data, so the two arms of a seed are paired; a seed's differences are averaged over
    budgets first, as runs of one seed need not be independent.
    """

    kind: Literal["paired"]
    reference: float | str = Field(0.0, description="without minus: a number, or a column with the null of a run")
    matched: str | None = Field(None, description="column that must be equal within 5 % in a budget")

    def against(self, runs: pd.DataFrame, minus: Arm | None) -> Finding:
        differences = contrast(
            runs, [(1, self.plus, minus)], self.outcome, reference=self.reference, matched=self.matched
        )
        return from_seeds(
            over_budgets(differences), direction=self.direction, margin=self.margin, unit=unit_of(self.outcome)
        )
