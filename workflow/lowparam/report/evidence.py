"""The numbers of a judged test as they stand in every table, page and macro."""

import numpy as np
import pandas as pd

__all__ = ["Evidence", "format_number", "format_p", "rounded"]

DIGITS_AFTER_POINT = {"points": 2, "exponent": 3, "rank correlation": 2, "logit a sd": 3, "rank / formula": 3}


class Evidence:
    """A row of claims.csv in print; what was not tested has dashes.

    Parameters
    ----------
    row : namedtuple
        A row as `DataFrame.itertuples` gives it.
    """

    def __init__(self, row) -> None:
        tested = pd.notna(row.estimate) or pd.notna(row.p)
        self.verdict: str = row.verdict
        self.estimate = format_number(row.estimate, row.unit) if tested else "–"
        self.low = format_number(row.low, row.unit) if tested else "–"
        self.high = format_number(row.high, row.unit) if tested else "–"
        self.unit: str = row.unit if tested else ""
        self.p = format_p(row.p_holm)
        self.n = f"{row.n:.0f}" if tested else "–"
        self.replicates: str = row.replicates if tested else ""
        self.paper = "" if pd.isna(row.paper_value) else f"{row.paper_value:g}".replace("-", "−")

    @property
    def interval(self) -> str:
        return "–" if self.low == "–" else f"{self.low} to {self.high}"

    @property
    def count(self) -> str:
        """n, and what it counts where that is not seeds."""
        return self.n if self.replicates in ("", "seeds") else f"{self.n} {self.replicates}"


def format_number(value: float, unit: str) -> str:
    """An estimate with the digits that its unit deserves."""
    if pd.isna(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    if unit == "parameters":
        return f"{value:,.0f}".replace(",", " ")
    per = unit.split(" a ")[0] if unit not in DIGITS_AFTER_POINT else unit
    return rounded(value, DIGITS_AFTER_POINT.get(per, 3))


def format_p(value: float) -> str:
    """A p value, three digits."""
    if pd.isna(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def rounded(value: float, digits: int) -> str:
    """A number with a true minus, and none before a zero."""
    if pd.isna(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
