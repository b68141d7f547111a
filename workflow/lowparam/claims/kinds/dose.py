"""Dose-response: whether more of a cause gives more of an effect."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from lowparam.claims.base import Arm, Directed, by_architecture
from lowparam.claims.contrasts import OutcomeGrid, contrast, unit_of
from lowparam.claims.finding import Finding, NotTested, from_seeds
from lowparam.claims.statistics import one_sided

__all__ = ["Dose"]

QUESTION = "does more of a cause give more of an effect, and did the dose move what it should?"
DATA = "runs"
NEEDS = ("arms", "three_sizes_or_doses")
FIGURE = "dose_response"

FEWEST_DOSES = 3


class Dose(Directed):
    """Test the slope of the outcome, or of its contrast between two arms, over doses, with seeds as the unit.

    A dose is a word that takes the place of ``{dose}`` in the names of the arms, and `doses` gives its number. Without
    `doses` the dose is the size of the network, in doublings. If the dose is only a means, `moved` names the measure
    that it must move in each architecture of `plus`: of a mean over several, one could decide alone. If it does not
    move it, the test shows nothing about the cause.

    ``Finding.data`` has ``doses`` of shape (k,), ``responses`` of shape (k, seeds) and, with `moved`, ``moved`` of the
    same shape.
    """

    kind: Literal["dose"]
    plus: Arm = Field(description="the arm whose dose varies")
    minus: Arm | None = Field(None, description="an arm to subtract at every dose")
    doses: dict[str, float] | None = Field(
        None, min_length=FEWEST_DOSES, description="number of each word that takes the place of {dose}"
    )
    size: str = Field("parameters_total", description="without doses: column with the size of a network")
    moved: str | None = Field(None, description="column that the dose must move in plus")
    moved_direction: Literal["greater", "less"] = Field(
        "greater", description="direction in which the dose must move it"
    )
    matched: str | None = Field(None, description="column that must be equal within 5 % at a dose")

    @model_validator(mode="after")
    def _dose_has_a_place(self) -> "Dose":
        given = any("{dose}" in pattern for patterns in self.plus.values() for pattern in patterns)
        if given != (self.doses is not None):
            raise ValueError("doses and {dose} in the names of plus go together")
        return self

    def find(self, runs: pd.DataFrame) -> Finding:
        doses, responses = self.responses(runs, self.outcome)
        step = "doubling" if self.doses is None else "unit of dose"
        finding = from_seeds(
            _slopes(doses, responses),
            direction=self.direction,
            margin=self.margin,
            unit=f"{unit_of(self.outcome)} per {step}",
        )
        data = {**finding.data, "doses": doses, "responses": responses}
        if self.moved is None:
            return replace(finding, data=data)
        _, moved = self.model_copy(update={"minus": None}).responses(runs, self.moved)
        p, least = self._moved_in_each(runs)
        note = (
            f"The dose moved {self.moved} by {_slopes(doses, moved).mean():+.3g} per {step} (one-sided p {p:.2g}"
            f"{f' for {least}, where it is clear least' if least else ''}). {finding.note}"
        )
        return replace(
            finding,
            p_for=max(finding.p_for, p),
            p_against=max(finding.p_against, p),
            note=note.strip(),
            data={**data, "moved": moved},
        )

    def _moved_in_each(self, runs: pd.DataFrame) -> tuple[float, str]:
        """Return the largest p-value of a movement over the architectures, and which has it if there are several."""
        assert self.moved is not None
        sign = 1 if self.moved_direction == "greater" else -1
        p_values = {}
        for name, arm in by_architecture(self.plus).items():
            alone = self.model_copy(update={"plus": arm, "minus": None})
            p_values[name] = one_sided(sign * _slopes(*alone.responses(runs, self.moved)), 0.0)
        least = max(p_values, key=lambda name: p_values[name])
        return p_values[least], least.replace("@{dose}", "") if len(p_values) > 1 else ""

    def responses(self, runs: pd.DataFrame, outcome: str) -> tuple[np.ndarray, np.ndarray]:
        """Return doses of shape (k,) and responses of shape (k, seeds)."""
        if self.doses is None:
            response = contrast(runs, [(1, self.plus, self.minus)], outcome, matched=self.matched)
            grid = OutcomeGrid.read(runs, self.size)
            rows = grid.select(self.plus)
            sizes = grid.means()
            return np.log2([sizes[rows[budget]].mean() for budget in response.budgets]), response.values
        responses = []
        for word in self.doses:
            minus = None if self.minus is None else _dosed(self.minus, word)
            responses.append(contrast(runs, [(1, _dosed(self.plus, word), minus)], outcome, matched=self.matched))
        common = [b for b in responses[0].budgets if all(b in response.budgets for response in responses)]
        if not common:
            raise NotTested("the doses have no budget in common")
        values = [r.values[[r.budgets.index(budget) for budget in common]].mean(axis=0) for r in responses]
        return np.array(list(self.doses.values())), np.array(values)


def _dosed(arm: Arm, word: str) -> Arm:
    return {column: [pattern.replace("{dose}", word) for pattern in patterns] for column, patterns in arm.items()}


def _slopes(doses: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Fit the least-squares slope of every seed that has at least three doses."""
    slopes = []
    for seed in range(values.shape[1]):
        finite = np.isfinite(values[:, seed])
        if len(set(doses[finite])) >= FEWEST_DOSES:
            x, y = doses[finite] - doses[finite].mean(), values[finite, seed]
            slopes.append(float(x @ y / (x @ x)))
    if len(slopes) < 2:
        raise NotTested(f"fewer than two seeds have {FEWEST_DOSES} doses")
    return np.array(slopes)
