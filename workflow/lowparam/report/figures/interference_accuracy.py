"""Test accuracy against interference at equal budget."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lowparam.params import parse_budget
from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.labels import architecture_label
from lowparam.report.style import MARKERS, TEXT_WIDTH

CAPTION = (
    "Test accuracy against interference at equal budget: points are configurations, whiskers the standard "
    "deviation over seeds. Dashed: slope between configurations; short strokes: slope within them, over seeds. "
    "No point where a seed diverged."
)
OF = "verdicts"
ORDER = 4
SHOWN = True


def make(context: Context) -> Figure:
    """Draw one panel for each of the smallest four budgets.

    The dashed line goes through the configurations of a budget (slope between); the short strokes have the slope that
    the seeds of a configuration have in common (slope within). The two may differ in sign.
    """
    runs = context.runs
    base = runs[runs["probe"] == "none"]
    known = base[["r_projection", "test_accuracy"]].notna().all(axis=1)
    base = base[known.groupby([base["architecture"], base["budget"]]).transform("all")]  # no mean of survivors
    budgets = sorted(base["budget"].unique(), key=parse_budget)[:4]
    architectures = in_order(base["architecture"])
    colours = sns.color_palette("colorblind", len(architectures))
    figure, axes = plt.subplots(
        1, max(1, len(budgets)), figsize=(TEXT_WIDTH, 2.4), sharex=True, squeeze=False, layout="constrained"
    )
    for ax, budget in zip(axes[0], budgets, strict=False):
        here = base[base["budget"] == budget]
        points = pd.DataFrame(
            {"name": here["architecture"], "x": here["r_projection"], "y": 100 * here["test_accuracy"]}
        )
        means = points.groupby("name")[["x", "y"]].mean()
        apart = points[["x", "y"]] - points.groupby("name")[["x", "y"]].transform("mean")
        within = (apart["x"] * apart["y"]).sum() / (apart["x"] ** 2).sum() if (apart["x"] ** 2).sum() > 0 else np.nan
        for place, (name, colour) in enumerate(zip(architectures, colours, strict=True)):
            group = points[points["name"] == name]
            if group.empty:
                continue
            (x, y), spread = means.loc[name], group[["x", "y"]].std()
            marker = MARKERS[place % len(MARKERS)]
            ax.errorbar(
                x,
                y,
                xerr=spread["x"],
                yerr=spread["y"],
                color=colour,
                marker=marker,
                linestyle="",
                elinewidth=0.8,
                label=architecture_label(name),
            )
            ends = np.array([group["x"].min(), group["x"].max()])
            ax.plot(ends, y + within * (ends - x), color=colour, linewidth=1.6, alpha=0.5)
        if len(means) > 2:
            slope, start = np.polyfit(means["x"], means["y"], 1)
            ends = np.array([means["x"].min(), means["x"].max()])
            ax.plot(ends, start + slope * ends, color="0.3", linestyle="--", linewidth=0.9, label="between")
        ax.axvline(1, color="0.3", linewidth=0.8, linestyle=":")
        ax.set_title(f"budget {budget}")
    axes[0][0].set_ylabel("test accuracy (%)")
    figure.supxlabel("projection dimensionality / null (r); less interference to the right", fontsize=8)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure
