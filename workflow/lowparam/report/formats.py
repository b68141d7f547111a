"""Format numbers: the one place that decides digits, signs and intervals, for tables, pages and macros."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lowparam.claims.statistics import Estimate

__all__ = ["Cell", "enumerate_words", "format_number", "format_p", "format_spread", "rounded"]

DIGITS_AFTER_POINT = {
    "points": 2,
    "exponent": 3,
    "rank correlation": 2,
    "logit per sd": 3,
    "rank / formula": 3,
    "rank / rank of sum": 3,
}


@dataclass(frozen=True)
class Cell:
    """A mean with its interval, as printed.

    Parameters
    ----------
    estimate : Estimate
        In the unit of the table. A missing mean (NaN) is printed as a dash, a missing interval is left out.
    digits : int
        Digits after the point.
    best : bool
        Whether to print the mean in bold.
    mark : str
        A sign after the number that a note explains.
    """

    estimate: Estimate
    digits: int = 1
    best: bool = False
    mark: str = ""

    @classmethod
    def of(cls, value: float, digits: int) -> "Cell":
        """Return the cell of a single number, which has no interval."""
        return cls(Estimate(value, np.nan, 1), digits)

    def parts(self) -> tuple[str, str]:
        """Return the mean, and everything printed after it."""
        mean, half = self.estimate.mean, self.estimate.half_width
        spread = "" if np.isnan(mean) or np.isnan(half) else f" ± {rounded(half, self.digits)}"
        return rounded(mean, self.digits), spread + self.mark

    def markdown(self) -> str:
        """Format with a bold mean if it is the best."""
        mean, rest = self.parts()
        return (f"**{mean}**" if self.best else mean) + rest

    def plain(self) -> str:
        """Format without emphasis."""
        return "".join(self.parts())


def format_spread(estimate: Estimate, digits: int) -> str:
    """Format a mean with the half-width of its interval: ``93.1 ± 0.4``; a dash if there is no mean."""
    return Cell(estimate, digits).plain()


def format_number(value: float, unit: str) -> str:
    """Format an estimate with as many digits as its unit needs; digits are grouped for counts."""
    if unit == "parameters" and np.isfinite(value):
        return f"{value:,.0f}".replace(",", " ")
    per = unit.split(" per ")[0] if unit not in DIGITS_AFTER_POINT else unit
    return rounded(value, DIGITS_AFTER_POINT.get(per, 3))


def enumerate_words(words: Iterable[str]) -> str:
    """Return words as a sentence lists them: ``a, b and c``."""
    return " and ".join(", ".join(words).rsplit(", ", 1))


def format_p(value: float) -> str:
    """Format a p-value with three digits."""
    if pd.isna(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def rounded(value: float, digits: int) -> str:
    """Round a number; negative ones get a true minus sign, zero none, and NaN is a dash."""
    if pd.isna(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
