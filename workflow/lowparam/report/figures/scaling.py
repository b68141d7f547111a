"""Test accuracy against size in three accountings."""

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.figures._tests import SIZES, size_axis
from lowparam.report.labels import architecture_label
from lowparam.report.style import MARKERS, TEXT_WIDTH

CAPTION = (
    "Test accuracy against size, counted with the classifier, without it, and in multiply-adds: mean over seeds "
    "with 95 % t interval, one line for each architecture. No point where a seed diverged."
)
OF = "verdicts"
ORDER = 2
SHOWN = True


def make(context: Context) -> Figure:
    """Draw one panel for each accounting of size, for runs without probe."""
    runs = context.runs
    base = runs[runs["probe"] == "none"]
    architectures = in_order(base["architecture"])
    colours = sns.color_palette("colorblind", len(architectures))
    figure, axes = plt.subplots(
        1, len(SIZES), figsize=(TEXT_WIDTH, 2.5), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, (column, label) in zip(axes[0], SIZES.items(), strict=True):
        for place, (name, colour) in enumerate(zip(architectures, colours, strict=True)):
            groups = base[base["architecture"] == name].groupby("budget", sort=False)
            points = [(g[column].mean(), mean_interval(100 * g["test_accuracy"])) for _, g in groups]
            points.sort(key=lambda point: point[0])
            ax.errorbar(
                [size for size, _ in points],
                [accuracy.mean for _, accuracy in points],
                yerr=[accuracy.half_width for _, accuracy in points],
                color=colour,
                marker=MARKERS[place % len(MARKERS)],
                label=architecture_label(name),
                elinewidth=0.8,
                capsize=1.5,
            )
        size_axis(ax)
        ax.set_xlabel(label)
    axes[0][0].set_ylabel("test accuracy (%)")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure
