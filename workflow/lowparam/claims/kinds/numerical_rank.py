"""Numerical rank: whether an exactly counted dimension equals a formula."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from lowparam.claims.base import ClaimTest
from lowparam.claims.finding import Finding, NotTested

__all__ = ["NumericalRank"]

QUESTION = "does an exactly counted dimension equal a formula?"
DATA = "ranks"
NEEDS = ()
FIGURE = "dimension"


class NumericalRank(ClaimTest):
    """Test whether every exact rank equals a formula, or exceeds the rank of another operator at the same width.

    Ranks are counted in exact arithmetic, so nothing is sampled: one row that does not fit is a counterexample, and p
    is 0 or 1. The estimate is the geometric mean of rank over formula, the interval its smallest and largest value.
    """

    kind: Literal["numerical_rank"]
    table: Literal["dimension", "growth"] = Field(description="table of the star study")
    operator: Literal["star", "sum"] = Field("star", description="how the branches are combined")
    bias: bool = Field(True, description="whether the branches have biases")
    layers: int = Field(1, ge=1, description="smallest number of stacked layers")
    formula: str | None = Field(None, description="column with the value of the formula")
    exceeds: Literal["star", "sum"] | None = Field(
        None, description="instead of a formula: operator whose rank must be exceeded"
    )

    def find(self, runs: pd.DataFrame) -> Finding:
        rows = self._rows(runs, self.operator)
        rows = rows[rows["channels"] >= 2]  # with one channel, formulas of different kinds coincide
        if self.exceeds is not None:
            other = self._rows(runs, self.exceeds).set_index("channels")["rank"]
            expected = other.reindex(rows["channels"]).to_numpy(dtype=float)
        elif self.formula in rows:
            expected = rows[self.formula].to_numpy(dtype=float)
        else:
            raise NotTested(f"{self.table}.csv has no column {self.formula}")
        if rows.empty or np.isnan(expected).any():
            raise NotTested(f"{self.table}.csv lacks rows to compare")
        ratio = rows[self.outcome].to_numpy(dtype=float) / expected
        holds = bool((ratio > 1).all() if self.exceeds else (ratio == 1).all())
        fits = int((ratio > 1).sum() if self.exceeds else (ratio == 1).sum())
        return Finding(
            float(np.exp(np.log(ratio).mean())),
            float(ratio.min()),
            float(ratio.max()),
            p_for=0.0 if holds else 1.0,
            p_against=1.0 if holds else 0.0,
            unit=f"rank / rank of {self.exceeds}" if self.exceeds else "rank / formula",
            n=len(ratio),
            replicates="widths",
            power_at=lambda alpha: (np.nan, np.nan),
            note=f"{fits} of {len(ratio)} widths fit. Ranks are counted exactly, so the interval is the range.",
        )

    def _rows(self, runs: pd.DataFrame, operator: str) -> pd.DataFrame:
        if "table" not in runs:
            raise NotTested("no ranks were counted")
        rows = runs[(runs["table"] == self.table) & (runs["bias"] == self.bias)]
        if self.table == "growth":
            return rows[rows["layers"] >= self.layers]
        return rows[rows["operator"] == operator]
