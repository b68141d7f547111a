"""Rank correlation within a budget: whether networks of one size with more of a measure are better."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from lowparam.claims.associations import Configurations, p_values, permuted, resampled
from lowparam.claims.base import Arm, Association
from lowparam.claims.finding import Finding, NotTested
from lowparam.claims.statistics import CONFIDENCE, power_from_error

__all__ = ["Rank", "mean_spearman"]

QUESTION = "among networks of one budget, are those with more of a measure better? (Spearman)"
DATA = "runs"
NEEDS = ("equal_size", "five_architectures")
FIGURE = "interference_accuracy"


class Rank(Association):
    """Test Spearman's correlation of seed means within each budget, averaged over budgets.

    The unit is the architecture: the p-value comes from a permutation test that reassigns measures between
    architectures, the interval from the hierarchical bootstrap (architecture, then seed), and a verdict needs both
    (`lowparam.claims.associations.p_values`). Runs of the same configuration are never counted as independent points.
    """

    kind: Literal["rank"]
    measure: str = Field(description="column whose association with the outcome is tested")
    among: Arm = Field({"architecture": ["*"]}, description="runs that are ranked")
    without: list[str] = Field([], description="patterns of architectures that are variants of others and left out")

    def find(self, runs: pd.DataFrame) -> Finding:
        data = Configurations.read(runs, self.among, self.without, self.measure, self.outcome)
        x, y = data.means()
        count = len(data.names)
        orders = permuted(count)
        shuffled = _correlation(_ranks(x)[orders], _ranks(y))
        observed = shuffled[0]
        if not np.isfinite(observed):
            raise NotTested(f"{self.measure} or {self.outcome} is the same in all networks of a budget")
        resamples = mean_spearman(*resampled(data))
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(resamples, [tail, 1 - tail])
        p_for, p_against = p_values(shuffled, resamples, self.direction)
        note = f"{count} architectures in {x.shape[1]} sizes."
        return Finding(
            float(observed),
            float(low),
            float(high),
            p_for,
            p_against,
            unit="rank correlation",
            n=count,
            replicates="architectures",
            power_at=lambda alpha: power_from_error(float(observed), float(shuffled.std()), count, alpha),
            note=f"{note} {data.described_left_out(self.measure)}".strip(),
        )


def mean_spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute Spearman's correlation over axis -2, averaged over the bins of axis -1.

    Returns
    -------
    ndarray of the leading shape
        NaN where all ranks of a bin are equal.
    """
    return _correlation(_ranks(x), _ranks(y))


def _ranks(x: np.ndarray) -> np.ndarray:
    """Return ranks along axis -2, ties in the middle; vectorised, where scipy's rankdata loops."""
    below = x[..., :, None, :] > x[..., None, :, :]
    same = x[..., :, None, :] == x[..., None, :, :]
    return below.sum(axis=-2) + (same.sum(axis=-2) + 1) / 2


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute Pearson's correlation over axis -2, averaged over axis -1."""
    a, b = a - a.mean(axis=-2, keepdims=True), b - b.mean(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (a * b).sum(axis=-2) / np.sqrt((a**2).sum(axis=-2) * (b**2).sum(axis=-2))
    return rho.mean(axis=-1)
