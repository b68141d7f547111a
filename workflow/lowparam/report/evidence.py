"""The numbers of a judged test as they stand in every table, page and macro."""

import pandas as pd

from lowparam.report.formats import format_number, format_p, rounded

__all__ = ["Evidence", "format_number", "format_p", "rounded"]


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
