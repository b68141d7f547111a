"""Means, intervals, power and corrections for multiple tests, with seeds as the unit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

__all__ = [
    "CONFIDENCE",
    "POWER",
    "Estimate",
    "detectable_in_standard_errors",
    "holm",
    "mean_interval",
    "one_sided",
    "power_from_error",
    "seeds_needed",
    "smallest_effect",
    "spread",
    "two_sided",
]

CONFIDENCE = 0.95
POWER = 0.8
HUGE = 1e6
"""Standard deviations that no number of seeds from 2 on can miss at any level in use."""


@dataclass(frozen=True)
class Estimate:
    """Hold a mean with the half-width of its interval.

    Parameters
    ----------
    mean : float
        Of `n` values.
    half_width : float
        NaN for a single value.
    n : int
        Number of values.
    """

    mean: float
    half_width: float
    n: int

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width


def mean_interval(values: ArrayLike) -> Estimate:
    """Compute the mean with Student's t interval at the level `CONFIDENCE`.

    A bootstrap of three to five seeds covers too rarely. The t interval is that of the mean of independent,
    approximately normal values.

    Parameters
    ----------
    values : array-like of shape (n,)
        One value per seed. NaN, the value of a diverged run, makes the mean NaN: it is never dropped silently.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    if n == 0:
        return Estimate(np.nan, np.nan, 0)
    if n == 1:
        return Estimate(float(values[0]), np.nan, 1)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return Estimate(float(values.mean()), float(half), n)


def one_sided(values: ArrayLike, bound: float) -> float:
    """Compute the p-value of "the mean is at most `bound`" by Student's t; small if the values lie above.

    Parameters
    ----------
    values : array-like of shape (n,)
        One value per seed, n at least 2.
    bound : float
        In the unit of `values`.

    Returns
    -------
    float
        1/2 if all values are equal: without any variation nothing can be judged, and accuracies on few test images do
        coincide.
    """
    values = np.asarray(values, dtype=float)
    sd = spread(values)
    if sd == 0:
        return 0.5
    return float(stats.t.sf((values.mean() - bound) / (sd / np.sqrt(len(values))), len(values) - 1))


def two_sided(values: ArrayLike) -> float:
    """Compute the p-value of "the mean is zero" by Student's t.

    Parameters
    ----------
    values : array-like of shape (n,)
        One value per seed.

    Returns
    -------
    float
        NaN for a single value, or if one of them is NaN.
    """
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all() or len(values) < 2:
        return np.nan
    return min(1.0, 2 * min(one_sided(values, 0.0), one_sided(-values, 0.0)))


def spread(values: ArrayLike) -> float:
    """Compute the standard deviation of at least two values; 0 if they are equal up to rounding."""
    values = np.asarray(values, dtype=float)
    sd = float(values.std(ddof=1))
    return 0.0 if sd <= 1e-12 * max(1.0, np.abs(values).max()) else sd


def detectable_in_standard_errors(alpha: float) -> float:
    """Compute the size, in standard errors, of an effect detected with `POWER`, by the normal distribution."""
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(POWER))


def power_from_error(effect: float, error: float, count: int, alpha: float) -> tuple[float, float]:
    """Compute the smallest effect that is detected with `POWER`, and how many units would settle the question.

    By the normal distribution; the error falls with the square root of the number of units.

    Parameters
    ----------
    effect, error : float
        The effect and its standard error, in one unit.
    count : int
        Number of units, such as architectures.
    alpha : float
        The level, on two sides.
    """
    detectable = detectable_in_standard_errors(alpha) * error
    return detectable, float(max(np.ceil(count * (detectable / effect) ** 2), 3)) if effect else np.inf


def smallest_effect(sd: float, n: int, alpha: float = 1 - CONFIDENCE) -> float:
    """Compute the smallest distance from the margin that `n` seeds would detect with `POWER`.

    Exact for the t test, by the noncentral t distribution.

    Parameters
    ----------
    sd : float
        Standard deviation over seeds.
    n : int
        Number of seeds, at least 2.
    alpha : float
        Two-sided level.
    """
    if not sd > 0 or n < 2:
        return np.nan
    most = 1.0
    while _power(most, n, alpha) < POWER:
        most *= 2
    return float(sd * optimize.brentq(lambda effect: _power(effect, n, alpha) - POWER, 0, most))


def seeds_needed(sd: float, distance: float, alpha: float = 1 - CONFIDENCE, most: int = 1000) -> float:
    """Compute how many seeds detect, with `POWER`, an effect that lies `distance` from the margin.

    Parameters
    ----------
    sd : float
        Standard deviation over seeds.
    distance : float
        As observed, in the unit of `sd`; the sign does not matter.
    alpha : float
        Two-sided level.
    most : int
        Largest answer.

    Returns
    -------
    float
        At least 2; infinite above `most`.
    """
    if not sd > 0:
        return np.nan
    effect = abs(distance) / sd
    by_normal = (
        (detectable_in_standard_errors(alpha) / effect) ** 2 if effect > 0 else np.inf
    )  # slightly too few, because t has wider tails
    if by_normal > most:
        return np.inf
    n = max(2, int(by_normal))
    while not _power(effect, n, alpha) >= POWER:
        n += 1
    return float(n)


def _power(effect: float, n: int, alpha: float) -> float:
    """Compute the power of the two-sided t test, exact by the noncentral t distribution.

    Equal to statsmodels' TTestPower, which is NaN for some large effects because the far tail underflows there, and
    for huge ones because both do.
    """
    df, shift = n - 1, effect * np.sqrt(n)
    if effect > HUGE:
        return 1.0
    critical = stats.t.isf(alpha / 2, df)
    return float(np.nansum([stats.nct.sf(critical, df, shift), stats.nct.cdf(-critical, df, shift)]))


def holm(p: ArrayLike) -> np.ndarray:
    """Adjust p-values for the number of tests (Holm 1979).

    Equal to statsmodels' multipletests, which runs the garbage collector at every call and takes a second per table.

    Parameters
    ----------
    p : array-like of shape (k,)
        NaN for a test without runs, which counts as p = 1, so that leaving runs out does not make the other verdicts
        easier.

    Returns
    -------
    ndarray of shape (k,)
        NaN where `p` is NaN.
    """
    p = np.asarray(p, dtype=float)
    tested = ~np.isnan(p)
    order = np.argsort(np.where(tested, p, 1.0), kind="stable")
    steps = np.where(tested, p, 1.0)[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return np.where(tested, adjusted, np.nan)
