"""Accuracy that each probe costs, a row for each architecture and a point for each budget."""

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.estimates import gap_by_seed, in_order, untrained_scales
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.layout import draw_means, label_outer, legend, panels, value_axis
from lowparam.report.style import only_text

CAPTION = (
    "Accuracy that SoLU and each of its controls cost, in percentage points, paired by seed: mean over seeds with 95 % "
    "t interval, one point for each budget. "
    "Hollow marks: a run is untrained. Arrows: the interval is longer than the axis."
)
APPLIES = ("compares_probes",)
ORDER = 30
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    gaps = gap_by_seed(context.runs)
    probes, architectures = in_order(gaps["probe"]), in_order(gaps["architecture"])
    budgets = in_order(gaps["budget"])
    if not probes:
        return only_text("No probe was compared in these runs.")
    untrained = untrained_scales(context.runs)
    colours = sns.color_palette("crest", len(budgets))
    apart = min(0.16, 0.8 / len(budgets))
    figure, axes = panels(
        len(probes), height=0.5 + len(architectures) * max(0.26, 0.07 * len(budgets)), sharey=True, sharex=True
    )
    for ax, probe in zip(axes, probes, strict=True):
        for shift, (budget, colour) in enumerate(zip(budgets, colours, strict=True)):
            of_budget = gaps[(gaps["probe"] == probe) & (gaps["budget"] == budget)]
            estimates = [mean_interval(of_budget.loc[of_budget["architecture"] == a, "gap"]) for a in architectures]
            places = np.arange(len(architectures)) + (shift - (len(budgets) - 1) / 2) * apart
            hollow = [bool({(a, probe, budget), (a, "none", budget)} & untrained) for a in architectures]
            draw_means(ax, places, estimates, across=True, hollow=hollow, label=budget, fmt="o", color=colour)
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_title(probe_label(probe))
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(architectures)), [architecture_label(a) for a in architectures])
    axes[0].set_ylim(len(architectures) - 0.5, -0.5)
    value_axis(axes, "x", include=[0])
    label_outer(axes, "SoLU gap (points)")
    legend(figure, title="budget")
    return figure
