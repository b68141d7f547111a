"""Feature dimensionality of the projections, relative to random directions."""

from lowparam.report.context import Context
from lowparam.report.estimates import mean_by_scale
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import grid, header, schedule

CAPTION = (
    "Interference on {experiment}: feature dimensionality of the projections' weights divided by that of random "
    "directions of the same norms (r), mean over {seeds} seeds with 95 % t interval. "
    "1: as random; below 1: features overlap more than random ones. Bold: highest in a column."
)
ORDER = 20


def make(context: Context) -> Table:
    """Compute the table."""
    ratios = mean_by_scale(context.runs, "r_projection")
    return Table(
        header=header(context.runs),
        rows=grid(ratios, digits=2, best="max"),
        labels=2,
        numbers=ratios.assign(unit="ratio to null"),
        notes=[schedule(context)],
    )
