"""Equivalence: whether a difference is too small to matter (two one-sided tests, Schuirmann 1987)."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from lowparam.claims.base import Arm, Kind
from lowparam.claims.finding import Finding, from_seeds
from lowparam.claims.kinds.contrast import Where, contrast, over_budgets, unit_of
from lowparam.claims.statistics import one_sided

__all__ = ["Equivalence"]


class Equivalence(Kind):
    """The paired difference lies within the margin on both sides.

    That a difference is not significant does not show that it is small: the claim is supported when the whole
    interval lies within the margin, and contradicted when it lies outside.
    """

    kind: Literal["equivalence"]
    plus: Arm = Field(description="runs that the claim is about")
    minus: Arm = Field(description="runs they are said to equal")
    margin: float = Field(gt=0, description="largest difference that does not matter")
    matched: str | None = Field(None, description="column that must be equal within 5 % in a budget")

    def find(self, runs: pd.DataFrame) -> Finding:
        values = over_budgets(contrast(runs, [(1, self.plus, self.minus)], self.outcome, matched=self.matched))
        shown = from_seeds(values, direction="greater", margin=0, unit=unit_of(self.outcome))
        inside = max(one_sided(values, -self.margin), one_sided(-values, -self.margin))
        outside = min(one_sided(values, self.margin), one_sided(-values, self.margin))
        return Finding(
            shown.estimate,
            shown.low,
            shown.high,
            p_for=inside,
            p_against=outside,
            unit=shown.unit,
            n=shown.n,
            spread=shown.spread,
            distance=self.margin - float(np.abs(shown.estimate)),
            note=f"Equal means within ± {self.margin:g} {shown.unit}. {shown.note}".strip(),
        )

    def arms(self) -> list[Where]:
        return [self.plus, self.minus]
