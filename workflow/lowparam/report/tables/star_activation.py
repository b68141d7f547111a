"""Accuracy with and without activations, ours and as published."""

import pandas as pd

from lowparam.references.stars import TABLES
from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained
from lowparam.report.tables._star_rows import along, own, published, sources
from lowparam.studies.star.names import activated, varied_axes

CAPTION = (
    "Networks with and without activations: top-1 accuracy in %, and without minus with in percentage points. "
    "{experiment}: mean over {seeds} seeds with 95 % t interval, the change paired by seed. {sources}."
)
APPLIES = ("compares_activation",)
ORDER = 62


def make(context: Context) -> Table:
    """Compute the table from ``runs.csv``."""
    return compare(context.runs, context.name)


def compare(runs: pd.DataFrame, experiment: str) -> Table:
    """Compare networks with and without activations, in the rows of tables 4, 15 and 16 of the paper."""
    names = in_order(runs["architecture"])
    pairs = [(with_it, name) for name in names if (with_it := activated(name)) and with_it in names]
    parts = [published(4, ("with", "without"))]
    about = [TABLES[4]]
    if not varied_axes(names):
        parts.append(own(runs, experiment, pairs))
    for axis in varied_axes(names):
        about.append(TABLES[{"width": 15, "depth": 16}[axis]])
        parts.append(published(about[-1].number, ("with", "without")))
        parts.append(own(runs, experiment, along(axis, pairs)))
    shown = [row for rows, _ in parts for row in rows]
    return Table(
        header=["data", "network", "with", "without", "change"],
        rows=shown,
        labels=2,
        notes=explained(shown),
        numbers=pd.DataFrame([number for _, numbers in parts for number in numbers]),
        details={"sources": sources(about)},
    )
