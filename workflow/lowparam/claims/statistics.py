"""Means and intervals in which seeds are the unit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["Estimate", "mean_interval"]


@dataclass(frozen=True)
class Estimate:
    """A mean and the half-width of its interval; the half-width is NaN for a single value."""

    mean: float
    half_width: float
    n: int

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean with Student's t interval.

    A bootstrap of three to five seeds under-covers, so the t interval is used (interval of the mean of independent,
    about normal values).

    Parameters
    ----------
    values : array-like of shape (n,)
        One value a seed. NaN, the value of a diverged run, makes the mean NaN: it is not silently left out.
    confidence : float
        Between 0 and 1.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    if n == 0:
        return Estimate(np.nan, np.nan, 0)
    if n == 1:
        return Estimate(float(values[0]), np.nan, 1)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return Estimate(float(values.mean()), float(half), n)
