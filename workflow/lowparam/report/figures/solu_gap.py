"""Accuracy that each probe costs, a row for each architecture and a point for each budget."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.estimates import gap_by_seed, in_order
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.style import COLUMN_WIDTH

CAPTION = (
    "Accuracy that SoLU and each of its controls cost, in percentage points, paired by seed: mean over seeds with 95 % "
    "t interval, one point for each budget."
)
APPLIES = ("compares_probes",)
ORDER = 30
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    gaps = gap_by_seed(context.runs)
    probes, architectures = in_order(gaps["probe"]), in_order(gaps["architecture"])
    budgets = in_order(gaps["budget"])
    colours = sns.color_palette("crest", len(budgets))
    columns = min(len(probes), 3)
    rows = -(-len(probes) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(max(COLUMN_WIDTH, 1.2 + 1.9 * columns), (0.5 + 0.26 * len(architectures)) * rows),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(probes) :]:
        ax.set_axis_off()
    for ax, probe in zip(axes.flat, probes, strict=False):
        for shift, (budget, colour) in enumerate(zip(budgets, colours, strict=True)):
            of_budget = gaps[(gaps["probe"] == probe) & (gaps["budget"] == budget)]
            estimates = [mean_interval(of_budget.loc[of_budget["architecture"] == a, "gap"]) for a in architectures]
            offset = (shift - (len(budgets) - 1) / 2) * 0.16
            ax.errorbar(
                [e.mean for e in estimates],
                np.arange(len(architectures)) + offset,
                xerr=[e.half_width for e in estimates],
                fmt="o",
                color=colour,
                label=budget,
                elinewidth=0.9,
                capsize=1.5,
            )
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_title(probe_label(probe))
        ax.set_xlabel("SoLU gap (percentage points)")
        ax.grid(axis="y", visible=False)
    axes[0][0].set_yticks(range(len(architectures)), [architecture_label(a) for a in architectures])
    axes[0][0].set_ylim(len(architectures) - 0.5, -0.5)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", title="budget", frameon=False)
    return figure
