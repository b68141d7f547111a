"""Dose-response: whether more of a cause gives more of an effect."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from lowparam.claims.base import Arm, Directed
from lowparam.claims.finding import Finding, NotTested, from_seeds
from lowparam.claims.kinds.contrast import Cells, Where, contrast, unit_of
from lowparam.claims.statistics import one_sided

__all__ = ["Dose"]

FEWEST_DOSES = 3


class Dose(Directed):
    """Slope of the outcome, or of its contrast between two arms, over doses, with seeds as the unit.

    A dose is a word in the names of the arms, ``{dose}``, that `doses` gives a number; without `doses` it is the size
    of the network, in doublings. Where the dose is only a means, `moved` names the measure that it has to move: if
    it does not, the test says nothing about the cause.
    """

    kind: Literal["dose"]
    plus: Arm = Field(description="the arm that is dosed")
    minus: Arm | None = Field(None, description="an arm to subtract at every dose")
    doses: dict[str, float] | None = Field(None, min_length=FEWEST_DOSES, description="word -> number")
    size: str = Field("parameters_total", description="without doses: column that says how large a network is")
    moved: str | None = Field(None, description="column that the dose has to move")
    moved_direction: Literal["greater", "less"] = Field("greater", description="which way the dose moves it")
    matched: str | None = Field(None, description="column that must be equal within 5 % at a dose")

    @model_validator(mode="after")
    def _dose_has_a_place(self) -> "Dose":
        given = any("{dose}" in pattern for patterns in self.plus.values() for pattern in patterns)
        if given != (self.doses is not None):
            raise ValueError("doses and {dose} in the names of plus go together")
        return self

    def find(self, runs: pd.DataFrame) -> Finding:
        doses, values = self.responses(runs, self.outcome)
        slopes = _slopes(doses, values)
        step = "doubling" if self.doses is None else "unit of dose"
        found = from_seeds(
            slopes, direction=self.direction, margin=self.margin, unit=f"{unit_of(self.outcome)} a {step}"
        )
        if self.moved is None:
            return found
        moved = _slopes(*self.responses(runs, self.moved))
        sign = 1 if self.moved_direction == "greater" else -1
        p = one_sided(sign * moved, 0.0)
        note = f"The dose moved {self.moved} by {moved.mean():+.3g} a {step} (one-sided p {p:.2g}). {found.note}"
        return Finding(
            **{
                **vars(found),
                "p_for": max(found.p_for, p),
                "p_against": max(found.p_against, p),
                "note": note.strip(),
            }
        )

    def arms(self) -> list[Where]:
        sides = [self.plus, *([self.minus] if self.minus else [])]
        return [_dosed(side, word) for side in sides for word in self.doses or [""]]

    def responses(self, runs: pd.DataFrame, outcome: str) -> tuple[np.ndarray, np.ndarray]:
        """Doses of shape (k,) and responses of shape (k, seeds)."""
        if self.doses is None:
            found = contrast(runs, [(1, self.plus, self.minus)], outcome, matched=self.matched)
            table = Cells.read(runs, self.size)
            rows = table.select(self.plus)
            sizes = table.sizes()
            return np.log2([sizes[rows[budget]].mean() for budget in found.budgets]), found.values
        responses = []
        for word in self.doses:
            minus = None if self.minus is None else _dosed(self.minus, word)
            found = contrast(runs, [(1, _dosed(self.plus, word), minus)], outcome, matched=self.matched)
            responses.append((found.budgets, found.values))
        budgets = [b for b in responses[0][0] if all(b in others for others, _ in responses)]
        if not budgets:
            raise NotTested("the doses have no budget in common")
        values = [found[[names.index(b) for b in budgets]].mean(axis=0) for names, found in responses]
        return np.array(list(self.doses.values())), np.array(values)


def _dosed(arm: Arm, word: str) -> Arm:
    return {column: [pattern.replace("{dose}", word) for pattern in patterns] for column, patterns in arm.items()}


def _slopes(doses: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Least-squares slope of every seed that has at least three doses."""
    found = []
    for seed in range(values.shape[1]):
        there = np.isfinite(values[:, seed])
        if len(set(doses[there])) >= FEWEST_DOSES:
            x, y = doses[there] - doses[there].mean(), values[there, seed]
            found.append(float(x @ y / (x @ x)))
    if len(found) < 2:
        raise NotTested(f"fewer than two seeds have {FEWEST_DOSES} doses")
    return np.array(found)
