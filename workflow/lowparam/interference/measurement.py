"""State a measured value with its interval and its null, and compute the interval by the jackknife."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import stdtrit

__all__ = ["COLUMNS", "Value", "interval", "undefined"]

COLUMNS = (
    *("measure", "site", "kind", "value", "lower", "upper", "null", "null_sd", "z", "ratio"),
    *("untrained", "n", "m", "note"),
)
"""The columns of a profile, in order."""

NAN = float("nan")


@dataclass(frozen=True)
class Value:
    """A measure at a site.

    Parameters
    ----------
    measure, site, kind : str
        What is measured, where, and what kind of feature map that is.
    value : float
        NaN if undefined; then ``note`` gives the reason.
    lower, upper : float
        95 % interval over images (delete-one-fold jackknife); NaN where a value does not depend on images.
    null, null_sd : float
        Mean and standard deviation of the value with nothing learned; NaN where there is none.
    n, m : float
        Number of directions and of dimensions they share.
    note : str
        Why something is undefined, or what was left out.
    """

    measure: str
    site: str = ""
    kind: str = ""
    value: float = NAN
    lower: float = NAN
    upper: float = NAN
    null: float = NAN
    null_sd: float = NAN
    n: float = NAN
    m: float = NAN
    note: str = ""

    @property
    def z(self) -> float:
        """The distance from the null in its standard deviations."""
        return (self.value - self.null) / self.null_sd if self.null_sd > 0 else NAN

    @property
    def ratio(self) -> float:
        """The value over its null; NaN where the null is zero."""
        return self.value / self.null if self.null else NAN

    def row(self) -> dict[str, object]:
        """Return the value as a row of a profile, whose column ``untrained`` is still NaN."""
        row = {name: getattr(self, name) for name in COLUMNS if name != "untrained"}
        return row | {"untrained": NAN}


def undefined(measure: str, reason: str, **where: Any) -> Value:
    """Return a value that could not be measured: NaN, with the reason in its note."""
    return Value(measure, note=reason, **where)


def interval(value: float, left_out: Sequence[float] | np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Compute the interval of a value from its delete-one-fold values (Efron & Tibshirani 1993, section 11.5).

    Parameters
    ----------
    value : float
        From all folds.
    left_out : sequence of float, shape (B,)
        The value without fold b. Values that are not finite (a fold without images) are left out.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    lower, upper : float
        value -+ t * sqrt((B - 1) / B * sum((left_out - mean)^2)), t with B - 1 degrees of freedom; NaN for B < 2.
    """
    left_out = np.asarray(left_out, dtype=float)
    left_out = left_out[np.isfinite(left_out)]
    folds = len(left_out)
    if folds < 2 or not np.isfinite(value):
        return NAN, NAN
    error = np.sqrt((folds - 1) / folds * np.sum((left_out - left_out.mean()) ** 2))
    half = _quantile((1 + level) / 2, folds - 1) * error
    return float(value - half), float(value + half)


@cache
def _quantile(probability: float, freedom: int) -> float:
    return float(stdtrit(freedom, probability))
