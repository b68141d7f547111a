"""Accuracy of our networks among published results on the same data, by number of parameters."""

import numpy as np
import pandas as pd

from lowparam.claims.statistics import Estimate
from lowparam.references.small_nets import published_nets
from lowparam.report.context import Context
from lowparam.report.estimates import GRID, mean_by_scale
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained, marker, schedule

CAPTION = (
    "Test accuracy in % on {experiment}, published results and ours, sorted by number of parameters. Ours: mean over "
    "{seeds} seeds with 95 % t interval. Published results come without a spread and from other recipes."
)
APPLIES = ("has_published_networks",)
ORDER = 40


def make(context: Context) -> Table:
    """Compute the table from the runs without probe."""
    runs = context.runs
    untrained = marker(runs)
    sizes = runs.groupby(GRID)["parameters_total"].first()
    rows = [
        {
            "network": f"{architecture_label(row['architecture'])}, {row['budget']}",
            "source": "this experiment",
            "parameters": sizes[tuple(row[key] for key in GRID)],
            "mean": 100 * row["mean"],
            "half_width": 100 * row["half_width"],
            "n": row["n"],
            "mark": untrained(row["architecture"], "none", row["budget"]),
        }
        for _, row in mean_by_scale(runs[runs["probe"] == "none"], "test_accuracy").iterrows()
    ]
    rows += [
        {"network": net.name, "source": net.source, "parameters": net.parameters, "mean": net.accuracy, "n": 1}
        for net in published_nets(context.experiment.data)
    ]
    numbers = pd.DataFrame(rows).sort_values("parameters", kind="stable", na_position="last", ignore_index=True)
    marks = numbers.pop("mark").fillna("")
    printed = [
        [
            row["network"],
            row["source"],
            "not stated" if np.isnan(row["parameters"]) else f"{row['parameters'] / 1000:.0f} k",
            Cell(Estimate(row["mean"], row["half_width"], row["n"]), 1, mark=mark),
        ]
        for (_, row), mark in zip(numbers.iterrows(), marks, strict=True)
    ]
    return Table(
        header=["network", "reported by", "parameters", "test accuracy"],
        rows=printed,
        labels=3,
        numbers=numbers,
        notes=[*explained(printed), schedule(context)],
    )
