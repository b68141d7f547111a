"""Test accuracy of every scale, compared with a linear model."""

import pandas as pd

from lowparam.report.context import Context
from lowparam.report.estimates import mean_by_scale
from lowparam.report.formats import Cell, format_number, rounded
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained, grid, header, marker, schedule

CAPTION = (
    "Test accuracy in % on {experiment} by parameter budget: mean over {seeds} seeds with 95 % t interval, "
    "{images} test images. Bold: best in a column."
)
ORDER = 10


def make(context: Context) -> Table:
    """Compute the table; a dagger marks networks without probe that do not beat the linear model."""
    means = mean_by_scale(context.runs, "test_accuracy")
    baseline = context.baseline
    threshold = 100 * baseline["test"]["accuracy"]
    percent = means.assign(mean=100 * means["mean"], half_width=100 * means["half_width"])

    def mark(row: pd.Series) -> str:
        beaten = row["probe"] == "none" and not row["mean"] > threshold
        return "†" * beaten + untrained(row["architecture"], row["probe"], row["budget"])

    untrained = marker(context.runs)
    rows = grid(percent, digits=1, best="max", mark=mark)
    marked = any(isinstance(cell, Cell) and "†" in cell.mark for row in rows for cell in row)
    rows.append(
        [
            baseline["model"].partition(",")[0],
            f"{format_number(baseline['parameters'], 'parameters')} parameters",
            *[rounded(threshold, 1)] * (len(rows[0]) - 2),
        ]
    )
    return Table(
        header=header(context.runs),
        rows=rows,
        labels=2,
        numbers=percent.assign(unit="percent"),
        notes=[
            *(["† does not beat the linear model in the mean."] if marked else []),
            *explained(rows),
            schedule(context),
        ],
        details={"images": f"{baseline['test']['images']:,}"},
    )
