"""Means, intervals, power and corrections in which seeds are the unit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.power import TTestPower

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "holm",
    "mean_interval",
    "one_sided",
    "reach",
    "seeds_needed",
    "smallest_effect",
]

CONFIDENCE = 0.95
POWER = 0.8


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


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
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


def one_sided(values: ArrayLike, bound: float) -> float:
    """p of "the mean is at most `bound`", by Student's t; small where the values lie above.

    Parameters
    ----------
    values : array-like of shape (n,)
        One value a seed, n of at least 2.

    Returns
    -------
    float
        1/2 where all values are equal: without a spread nothing can be judged, and accuracies on few test images
        do coincide.
    """
    values = np.asarray(values, dtype=float)
    spread = values.std(ddof=1)
    if spread <= 1e-12 * max(1.0, np.abs(values).max()):
        return 0.5
    return float(stats.t.sf((values.mean() - bound) / (spread / np.sqrt(len(values))), len(values) - 1))


def reach(alpha: float) -> float:
    """How many standard errors an effect must lie off to be seen four times in five, by the normal distribution."""
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(POWER))


def smallest_effect(spread: float, n: int, alpha: float = 1 - CONFIDENCE) -> float:
    """Smallest distance from the margin that `n` seeds would show in four of five replications.

    Exact for the t test, by the noncentral t distribution.

    Parameters
    ----------
    spread : float
        Standard deviation over seeds.
    n : int
        Number of seeds, at least 2.
    alpha : float
        Two-sided level.
    """
    if not spread > 0 or n < 2:
        return np.nan
    return float(spread * TTestPower().solve_power(nobs=n, alpha=alpha, power=POWER))


def seeds_needed(spread: float, distance: float, alpha: float = 1 - CONFIDENCE, most: int = 1000) -> float:
    """How many seeds settle a question whose true answer lies `distance` from the margin.

    Parameters
    ----------
    spread : float
        Standard deviation over seeds.
    distance : float
        As observed, in the unit of `spread`; the sign does not matter.

    Returns
    -------
    float
        At least 2; infinite above `most`, where more seeds are no answer.
    """
    if not spread > 0:
        return np.nan
    effect = abs(distance) / spread
    by_normal = (reach(alpha) / effect) ** 2 if effect > 0 else np.inf  # a little too few, as t is wider
    if by_normal > most:
        return np.inf
    n = max(2, int(by_normal))
    while TTestPower().power(effect, n, alpha) < POWER:
        n += 1
    return float(n)


def holm(p: ArrayLike, family: int | None = None) -> np.ndarray:
    """Adjust p values for the number of questions asked (Holm 1979).

    As statsmodels' multipletests, which runs the garbage collector at every call and takes a second for a table.

    Parameters
    ----------
    p : array-like of shape (k,)
        NaN for a question that could not be asked.
    family : int or None
        Number of questions that were meant to be asked. Those without p count as p = 1, so that leaving runs out
        does not make the other verdicts easier.

    Returns
    -------
    ndarray of shape (k,)
        NaN where `p` is.
    """
    p = np.asarray(p, dtype=float)
    asked = ~np.isnan(p)
    family = max(family or 0, len(p))
    order = np.argsort(np.where(asked, p, 1.0), kind="stable")
    steps = np.where(asked, p, 1.0)[order] * (family - np.arange(len(p)))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return np.where(asked, adjusted, np.nan)
