"""Estimate and interval of every test, by unit."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE, NOT_TESTED, SUPPORTED
from lowparam.report.context import Context
from lowparam.report.layout import legend, size_ticks, value_axis
from lowparam.report.style import TEXT_WIDTH, only_text

CAPTION = (
    "Estimate and 95 % interval of every test of the papers' claims that has runs, one panel for each unit. "
    "Colour and shape show the verdict after correction. "
    "Arrows: the interval is longer than the axis."
)
OF = "verdicts"
ORDER = 1
SHOWN = True

COLOURS = {SUPPORTED: "#1b7837", CONTRADICTED: "#b2182b", INCONCLUSIVE: "0.45", NOT_COMPARABLE: "#b8860b"}
SHAPES = {SUPPORTED: "o", CONTRADICTED: "s", INCONCLUSIVE: "D", NOT_COMPARABLE: "X"}  # not by colour alone


def make(context: Context) -> Figure:
    """Draw one panel for each unit."""
    judged = context.verdicts.rows
    there = np.isfinite(judged[["estimate", "low", "high"]].astype(float)).all(axis=1)  # an open interval has no place
    tested = judged[judged["verdict"].ne(NOT_TESTED) & there]
    units = list(dict.fromkeys(tested["unit"]))
    if not units:
        return only_text("No claim could be tested on these runs.")
    heights = [max(1.0, 0.2 * int((tested["unit"] == unit).sum()) + 0.1) for unit in units]
    figure, axes = plt.subplots(
        len(units),
        1,
        figsize=(TEXT_WIDTH, sum(heights) + 0.45 * len(units)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for ax, unit in zip(axes[:, 0], units, strict=True):
        _panel(ax, tested[tested["unit"] == unit], unit)
    for word in COLOURS:
        axes[0, 0].plot([], [], color=COLOURS[word], marker=SHAPES[word], linestyle="", label=word)
    legend(figure)
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, unit: str) -> None:
    """Draw the tests of a unit; the vertical line marks no effect."""
    for place, row in enumerate(rows.itertuples()):
        estimate = float(row.estimate)
        middle, half = (row.high + row.low) / 2, (row.high - row.low) / 2
        ax.errorbar(middle, place, xerr=half, fmt="none", color=COLOURS[row.verdict], elinewidth=1)
        ax.plot(estimate, place, marker=SHAPES[row.verdict], color=COLOURS[row.verdict])
        if pd.notna(row.paper_value):
            ax.plot(row.paper_value, place, marker="|", markersize=8, color="black")
    labels = [f"{row.claim} {row.test.replace('_', ' ')}" + (" *" if row.primary else "") for row in rows.itertuples()]
    ax.set_yticks(range(len(rows)), labels)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    if unit == "parameters":  # no size marks "no effect"
        ax.set_xscale("log")
        value_axis([ax], "x", include=[*rows["estimate"], *rows["paper_value"]])
        size_ticks(ax)
    else:
        reference = 1 if "formula" in unit else 0
        ax.axvline(reference, color="0.3", linewidth=0.8)
        value_axis([ax], "x", include=[reference, *rows["estimate"], *rows["paper_value"]])
    ax.set_xlabel(f"{unit}   (* primary test, | the paper's value)")
    ax.grid(axis="y", visible=False)
