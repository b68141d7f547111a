"""Accuracy that each probe costs, paired by seed."""

from lowparam.report.context import Context
from lowparam.report.estimates import gap_by_seed, mean_by_scale
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained, grid, header, marker, schedule

CAPTION = (
    "SoLU gap on {experiment}: test accuracy with the architecture's own activation minus that with the probe, in "
    "percentage points, paired by seed; mean over {seeds} seeds with 95 % t interval. "
    "Positive: the probe costs accuracy. Bold: smallest gap in a column."
)
APPLIES = ("compares_probes",)
ORDER = 30


def make(context: Context) -> Table:
    """Compute the table."""
    gaps = mean_by_scale(gap_by_seed(context.runs), "gap")
    untrained = marker(context.runs)
    rows = grid(
        gaps,
        digits=1,
        best="min",
        mark=lambda row: (
            untrained(row["architecture"], row["probe"], row["budget"])
            or untrained(row["architecture"], "none", row["budget"])
        ),
    )
    return Table(
        header=header(context.runs),
        rows=rows,
        labels=2,
        numbers=gaps.assign(unit="percentage points"),
        notes=[*explained(rows), schedule(context)],
    )
