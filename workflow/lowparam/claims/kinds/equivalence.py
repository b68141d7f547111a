"""Equivalence: whether a difference is too small to matter (two one-sided tests, Schuirmann 1987)."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from lowparam.claims.base import Arm, ClaimTest
from lowparam.claims.contrasts import contrast, over_budgets, unit_of
from lowparam.claims.finding import Finding, from_seeds
from lowparam.claims.statistics import one_sided

__all__ = ["Equivalence"]

QUESTION = "is a difference too small to matter? (two one-sided tests)"
DATA = "runs"
NEEDS = ("arms",)
FIGURE = {"*_accuracy": "accuracy", "*": "interference"}


class Equivalence(ClaimTest):
    """Test whether the paired difference lies within the margin on both sides.

    A difference that is not significant need not be small. The claim is supported if the whole interval lies within the
    margin, and contradicted if it lies outside.
    """

    kind: Literal["equivalence"]
    plus: Arm = Field(description="runs that the claim is about")
    minus: Arm = Field(description="runs that they are claimed to equal")
    margin: float = Field(gt=0, description="largest difference that does not matter")
    matched: str | None = Field(None, description="column that must be equal within 5 % in a budget")

    def find(self, runs: pd.DataFrame) -> Finding:
        values = over_budgets(contrast(runs, [(1, self.plus, self.minus)], self.outcome, matched=self.matched))
        difference = from_seeds(values, direction="greater", margin=0, unit=unit_of(self.outcome))
        inside = max(one_sided(values, -self.margin), one_sided(-values, -self.margin))
        outside = min(one_sided(values, self.margin), one_sided(-values, self.margin))
        return replace(
            difference,
            p_for=inside,
            p_against=outside,
            distance=self.margin - float(np.abs(difference.estimate)),
            note=f"Equal means within ± {self.margin:g} {difference.unit}. {difference.note}".strip(),
        )
