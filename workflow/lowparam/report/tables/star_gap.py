"""Accuracy of star and sum, ours and as published, with their gap."""

import pandas as pd

from lowparam.references.stars import TABLES
from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained
from lowparam.report.tables._star_rows import along, own, published, published_rows, sources
from lowparam.studies.star.names import parsed, sum_partner, varied_axes

CAPTION = (
    "Star against sum: top-1 accuracy in %, and star minus sum in percentage points. {experiment}: mean over {seeds} "
    "seeds with 95 % t interval, the gap paired by seed. {sources}."
)
APPLIES = ("compares_star_and_sum",)
ORDER = 60


def make(context: Context) -> Table:
    """Compute the table from ``runs.csv``."""
    return compare(context.runs, context.name)


def compare(runs: pd.DataFrame, experiment: str) -> Table:
    """Compare sum and star networks, in the rows of tables 2 and 3 of the paper."""
    names = in_order(runs["architecture"])
    pairs = [(partner, name) for name in names if (partner := sum_partner(name)) and partner in names]
    with_activation = [pair for pair in pairs if not parsed(pair[1]).variant]
    parts, about = [], []
    for axis in varied_axes(names) or [None]:
        about.append(TABLES[3 if axis == "depth" else 2])
        parts.append(published(about[-1].number, ("sum", "star")))
        parts.append(own(runs, experiment, along(axis, with_activation)))
    without = [pair for pair in pairs if parsed(pair[1]).variant == "noact"]
    if without:
        about.append(TABLES[4])
        cost = TABLES[4].frame().set_index("operator")["without"]
        parts.append(
            published_rows("ImageNet-1k", TABLES[4].source, [("DemoNet, no activation", cost["sum"], cost["star"])])
        )
        parts.append(own(runs, experiment, without))
    shown = [row for rows, _ in parts for row in rows]
    return Table(
        header=["data", "network", "sum", "star", "gap"],
        rows=shown,
        labels=2,
        notes=explained(shown),
        numbers=pd.DataFrame([number for _, numbers in parts for number in numbers]),
        details={"sources": sources(about)},
    )
