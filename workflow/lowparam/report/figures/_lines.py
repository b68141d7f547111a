"""Panels and lines that several figures of an experiment share."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lowparam import catalogue
from lowparam.claims.statistics import mean_interval
from lowparam.params import format_budget, parse_budget
from lowparam.report.estimates import in_order
from lowparam.report.labels import architecture_label
from lowparam.report.style import MARKERS, TEXT_WIDTH

__all__ = ["draw_families", "legend", "probe_panels"]


def probe_panels(runs: pd.DataFrame, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Make one panel for each probe, side by side."""
    count = runs["probe"].nunique()
    figure, axes = plt.subplots(
        1,
        count,
        figsize=(min(TEXT_WIDTH, 1.2 + 2.6 * count), 2.6),
        sharex=True,
        sharey=sharey,
        squeeze=False,
        layout="constrained",
    )
    return figure, list(axes[0])


def draw_families(ax: Axes, runs: pd.DataFrame) -> None:
    """Draw mean and interval over seeds of the column ``value`` against parameters, one line a family."""
    families = catalogue.families(in_order(runs["architecture"]))
    colours = sns.color_palette("colorblind", len(families))
    for place, ((name, members), colour) in enumerate(zip(families.items(), colours, strict=True)):
        groups = runs[runs["architecture"].isin(members)].groupby(["architecture", "budget"], sort=False)
        points = sorted((group["parameters_total"].mean(), mean_interval(group["value"])) for _, group in groups)
        # Shift lines by a few per cent so that whiskers do not hide each other.
        shift = 1.03 ** (place - (len(families) - 1) / 2)
        ax.errorbar(
            [count * shift for count, _ in points],
            [e.mean for _, e in points],
            yerr=[e.half_width for _, e in points],
            color=colour,
            marker=MARKERS[place % len(MARKERS)],
            label=architecture_label(name),
            elinewidth=0.8,
            capsize=1.5,
        )
    ax.set_xscale("log")
    if "published" not in set(runs["budget"]):
        ax.set_xticks(sorted({parse_budget(budget) for budget in runs["budget"]}))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda count, _: format_budget(round(count))))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("parameters")


def legend(figure: Figure, axes: list[Axes]) -> None:
    """Put one legend for all panels to their right."""
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
