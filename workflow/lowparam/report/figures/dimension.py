"""Implicit dimension of star and sum layers, counted and by formula."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.style import TEXT_WIDTH
from lowparam.studies.star.dimension import closed_form, paper_growth, printed_form

CAPTION = "Implicit dimension of star and sum layers, counted exactly (marks), and by formula (lines)."
OF = "star"
ORDER = 10


def make(context: Context) -> Figure:
    """Draw the figure from ``dimension.csv`` and ``growth.csv``."""
    return draw(context.read("dimension"), context.read("growth"))


def draw(dimensions: pd.DataFrame, growth: pd.DataFrame) -> Figure:
    """Draw one layer on the left, and stacked layers on the right."""
    figure, (one, stack) = plt.subplots(1, 2, figsize=(TEXT_WIDTH, 3.3), layout="constrained")
    colours = sns.color_palette("colorblind")
    widths = np.arange(1, dimensions["channels"].max() + 1)
    for (operator, bias), colour, marker in (
        (("star", True), colours[0], "o"),
        (("star", False), colours[9], "s"),
        (("sum", True), colours[1], "D"),
    ):
        counted = dimensions[(dimensions["operator"] == operator) & (dimensions["bias"] == bias)]
        label = f"{operator}, {'with' if bias else 'without'} biases"
        one.plot(counted["channels"], counted["rank"], marker, color=colour, label=label)
        one.plot(widths, [closed_form(operator, int(d), bias=bias) for d in widths], color=colour, linewidth=0.8)
    one.plot(widths, widths**2 / 2, color="0.35", linestyle=":", label="d²/2")
    one.plot(widths, [printed_form(int(d)) for d in widths], color=colours[3], linestyle="--", label="2d², as printed")
    one.set_yscale("log")
    one.set_title("one layer")
    one.plot([], [], color="0.3", linewidth=0.8, label="closed forms")

    for depth, colour, marker in zip(
        growth["layers"].unique().tolist(), sns.color_palette("crest", 4), "os^D", strict=False
    ):
        counted = growth[growth["bias"] & (growth["layers"] == depth)]
        stack.plot(
            counted["channels"], counted["rank"], marker, color=colour, label=f"{depth} layer{'s' * (depth > 1)}"
        )
        stack.plot(
            widths,
            [closed_form("star", int(d), bias=True, layers=int(depth)) for d in widths],
            color=colour,
            linewidth=0.8,
        )
        stack.plot(widths, [paper_growth(d, depth) for d in widths], color=colour, linestyle=":")
    stack.plot(
        growth["channels"],
        growth["rank_last"].where(growth["bias"] & (growth["layers"] == growth["layers"].max())),
        "x",
        color="0.3",
        label=f"{growth['layers'].max()} layers, only the last varied",
    )
    stack.plot([], [], color="0.3", linewidth=0.8, label="monomials of degree ≤ $2^l$")
    stack.plot([], [], color="0.3", linestyle=":", label=r"$(d/\sqrt{2})^{2^l}$, the paper's")
    stack.set(xscale="log", yscale="log", ylim=(0.8, 1e8), title="star layers with biases on top of each other")
    ticks = [d for d in (1, 2, 3, 5, 10, 20, 40) if d <= widths[-1]]
    stack.set_xticks(ticks, [str(d) for d in ticks])
    stack.xaxis.set_minor_locator(plt.NullLocator())
    for ax in (one, stack):
        ax.set_xlabel("channels d")
        ax.set_ylabel("implicit dimension")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False)
    return figure
