"""Accuracy of DemoNets over width and depth, as published and ours."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.references.stars import TABLES
from lowparam.report.context import Context
from lowparam.report.estimates import untrained_scales
from lowparam.report.layout import draw_means, legend, value_axis
from lowparam.report.style import MARKERS, TEXT_WIDTH
from lowparam.studies.star.names import on_axis, parse, varied_axes

CAPTION = (
    "Accuracy of DemoNets with star and sum, with and without activation, over width and depth: as published above, "
    "ours below with 95 % t intervals over seeds. "
    "Hollow marks: a run is untrained. Arrows: the interval is longer than the axis."
)
APPLIES = ("sweeps_demonet",)
ORDER = 61

ARMS = ("star", "sum", "star, no activation", "sum, no activation")


def make(context: Context) -> Figure:
    """Draw the figure from ``runs.csv``."""
    return draw(context.runs)


def draw(runs: pd.DataFrame) -> Figure:
    """Draw the published accuracies above and ours below, a column for width and one for depth."""
    varied = varied_axes(list(runs["architecture"].unique()))
    figure, panels = plt.subplots(
        2, len(varied), figsize=(TEXT_WIDTH / 2 * max(len(varied), 1.2), 4.4), squeeze=False, layout="constrained"
    )
    for axis, (published, own) in zip(varied, panels.T, strict=True):
        ours, untrained = _own(runs, axis)
        for ax, lines in ((published, _published(axis)), (own, ours)):
            for arm, points in lines.items():
                _line(ax, arm, points, untrained.get(arm, set()) if ax is own else set())
            ticks = sorted({size for points in lines.values() for size in points})
            if axis == "width":
                ax.set_xscale("log", base=2)
            ax.set_xticks(ticks, [str(size) for size in ticks])
            ax.minorticks_off()
            value_axis([ax], least=0, most=100)
            ax.set_xlabel(axis)
        published.set_title(f"ImageNet-1k, as published, by {axis}")
        own.set_title(f"ours, by {axis}")
    for row in panels:
        row[0].set_ylabel("top-1 accuracy (%)")
    legend(figure)
    return figure


def _published(axis: str) -> dict[str, dict[int, Estimate]]:
    """Return the accuracies of the paper's tables, by arm and size."""
    number, fixed = {"width": (2, 192), "depth": (3, 12)}[axis]
    frame, bare = (TABLES[n].frame().set_index(axis) for n in (number, number + 13))
    lines = {arm: frame[arm] for arm in ("star", "sum")} | {"star, no activation": bare["without"]}
    lines["sum, no activation"] = pd.Series({fixed: TABLES[4].frame().set_index("operator").loc["sum", "without"]})
    return {
        arm: {size: Estimate(float(value), np.nan, 1) for size, value in values.items()}
        for arm, values in lines.items()
    }


def _own(runs: pd.DataFrame, axis: str) -> tuple[dict[str, dict[int, Estimate]], dict[str, set[int]]]:
    """Compute the accuracies of our networks in percent, by arm and size, and the sizes with an untrained run."""
    names = list(runs["architecture"].unique())
    without = {name for name, *_ in untrained_scales(runs)}
    lines: dict[str, dict[int, Estimate]] = {}
    untrained: dict[str, set[int]] = {}
    for name in names:
        star = parse(name)
        if star is None or star.depth_width is None or not on_axis(names, name, axis):
            continue
        arm = star.operator + (", no activation" if star.variant == "noact" else "")
        size = star.depth_width[axis == "width"]
        lines.setdefault(arm, {})[size] = mean_interval(100 * runs.loc[runs["architecture"] == name, "test_accuracy"])
        if name in without:
            untrained.setdefault(arm, set()).add(size)
    return lines, untrained


def _line(ax: Axes, arm: str, points: dict[int, Estimate], untrained: set[int]) -> None:
    place = ARMS.index(arm)
    sizes = sorted(points)
    draw_means(
        ax,
        sizes,
        [points[size] for size in sizes],
        color=sns.color_palette("colorblind")[place % 2],
        linestyle="-" if place < 2 else "--",
        marker=MARKERS[place],
        hollow=[size in untrained for size in sizes],
        label=arm,
    )
