"""Interaction: whether a change matters more in one place than in another."""

from typing import Literal

import pandas as pd
from pydantic import Field

from lowparam.claims.base import Arm, Directed
from lowparam.claims.contrasts import contrast, contrast_across_budgets, over_budgets, unit_of
from lowparam.claims.finding import Finding, from_seeds
from lowparam.params import Section

__all__ = ["Change", "Interaction"]

QUESTION = "does a change matter more in one place than in another? (two or three factors)"
DATA = "runs"
NEEDS = ("arms",)
FIGURE = {"*_accuracy": "accuracy", "*": "interference"}


class Change(Section):
    """Select the runs with a change, and those without it."""

    plus: Arm = Field(description="with the change")
    minus: Arm = Field(description="without it")


class Interaction(Directed):
    """Test the sum of the first changes minus that of the second, with seeds as the unit.

    With one change on each side this is a difference of differences: how much less (positive) SoLU costs in the first
    place than in the second. With two on each side it is the interaction of three factors: architecture, SoLU and norm.
    Changes that name different budgets are each taken at their own: whether a gap is larger at one size than another.
    """

    kind: Literal["interaction"]
    first: list[Change] = Field(min_length=1, max_length=2, description="changes that count positive")
    second: list[Change] = Field(min_length=1, max_length=2, description="changes that count negative")
    matched: str | None = Field(None, description="column that must be equal within 5 % in a budget")

    def find(self, runs: pd.DataFrame) -> Finding:
        terms = [(sign, c.plus, c.minus) for sign, side in ((1, self.first), (-1, self.second)) for c in side]
        named = {tuple(change.plus.get("budget", ())) for change in (*self.first, *self.second)}
        subtract = contrast_across_budgets if len(named) > 1 else contrast
        values = over_budgets(subtract(runs, terms, self.outcome, matched=self.matched))
        return from_seeds(values, direction=self.direction, margin=self.margin, unit=unit_of(self.outcome))
