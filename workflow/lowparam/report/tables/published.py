"""Accuracy of our networks among published results on the same data, by number of parameters."""

import math

import numpy as np
import pandas as pd

from lowparam.claims.statistics import Estimate
from lowparam.data.prepare import shape
from lowparam.references.small_nets import published_nets
from lowparam.report.context import Context
from lowparam.report.estimates import GRID, mean_by_scale
from lowparam.report.formats import Cell, rounded
from lowparam.report.labels import architecture_label, data_remark
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained, marker, schedule

CAPTION = (
    "Test accuracy in % on {experiment}, published results and ours, sorted by number of parameters, with epochs of "
    "training and the side of the images in pixels. Ours{remark}: mean over {seeds} seeds with 95 % t interval. "
    "Published results come without a spread and from other recipes."
)
APPLIES = ("has_published_networks",)
ORDER = 40
OURS = "this experiment"
NEAR = 1.5
"""Networks are of similar size if their numbers of parameters differ by less than this factor."""


def make(context: Context) -> Table:
    """Compute the table from the runs without probe."""
    runs = context.runs
    data = context.params.data[context.experiment.data]
    remark = data_remark(data)
    untrained = marker(runs)
    sizes = runs.groupby(GRID)["parameters_total"].first()
    epochs = {scale.label: context.params.recipe(scale).epochs for scale in context.params.scales(context.name)}
    pixels = shape(context.experiment.data, data)["size"]
    rows = [
        {
            "network": f"{architecture_label(row['architecture'])}, {row['budget']}",
            "source": OURS,
            "epochs": epochs.get(row["architecture"], np.nan),
            "pixels": pixels,
            "parameters": sizes[tuple(row[key] for key in GRID)],
            "mean": 100 * row["mean"],
            "half_width": 100 * row["half_width"],
            "n": row["n"],
            "mark": untrained(row["architecture"], "none", row["budget"]),
        }
        for _, row in mean_by_scale(runs[runs["probe"] == "none"], "test_accuracy").iterrows()
    ]
    rows += [
        {
            "network": net.name,
            "source": net.source,
            "epochs": net.epochs,
            "pixels": net.pixels,
            "parameters": net.parameters,
            "mean": net.accuracy,
            "n": 1,
        }
        for net in published_nets(context.experiment.data)
    ]
    numbers = pd.DataFrame(rows).sort_values("parameters", kind="stable", na_position="last", ignore_index=True)
    columns = ["epochs", "pixels", "parameters"]
    numbers[columns] = numbers[columns].astype(float)
    marks = numbers.pop("mark").fillna("")
    printed = [
        [
            row["network"],
            row["source"],
            _stated(row["epochs"]),
            _stated(row["pixels"]) + f" ({remark})" * bool(remark and row["source"] == OURS),
            _stated(row["parameters"] / 1000, " k"),
            Cell(Estimate(row["mean"], row["half_width"], row["n"]), 1, mark=mark),
        ]
        for (_, row), mark in zip(numbers.iterrows(), marks, strict=True)
    ]
    return Table(
        header=["network", "reported by", "epochs", "pixels", "parameters", "test accuracy"],
        rows=printed,
        labels=5,
        numbers=numbers,
        notes=[*explained(printed), schedule(context), *_distance(numbers)],
        details={"remark": f" ({remark})" if remark else ""},
    )


def _stated(value: float, unit: str = "") -> str:
    return "not stated" if np.isnan(value) else f"{value:.0f}{unit}"


def _distance(numbers: pd.DataFrame) -> list[str]:
    """Compare our largest networks with the published one that is nearest in size, if there is one of similar size."""
    ours = numbers[numbers["source"] == OURS].dropna(subset=["mean"])
    if ours.empty:
        return []
    largest = ours[ours["parameters"] > ours["parameters"].max() / NEAR]
    best = largest.loc[largest["mean"].idxmax()]
    others = numbers[numbers["source"] != OURS].dropna(subset=["parameters"])
    apart = (others["parameters"] / best["parameters"]).map(math.log).abs()
    if not (apart < math.log(NEAR)).any():
        return []
    near = others.loc[apart.idxmin()]
    points = best["mean"] - near["mean"]
    word = "below" if points < 0 else "above"
    trained = "" if np.isnan(near["epochs"]) else f", {near['epochs']:.0f} epochs"
    return [
        f"The best of our largest networks, {best['network']}, is {rounded(abs(points), 1)} points {word} the "
        f"published one that is nearest in size ({near['network']}{trained})."
    ]
