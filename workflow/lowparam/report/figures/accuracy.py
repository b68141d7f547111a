"""Test accuracy against parameters, a panel for each probe, a line for each architecture."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.figures._lines import draw_families, legend, probe_panels
from lowparam.report.labels import probe_label

CAPTION = (
    "Test accuracy against number of parameters, one panel for each probe and one line for each architecture: mean "
    "over seeds with 95 % t interval. Dotted: logistic regression on the same split."
)
ORDER = 10
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    runs, threshold = context.runs, 100 * context.baseline["test"]["accuracy"]
    figure, axes = probe_panels(runs)
    for ax, probe in zip(axes, in_order(runs["probe"]), strict=True):
        draw_families(ax, runs[runs["probe"] == probe].assign(value=lambda r: 100 * r["test_accuracy"]))
        ax.axhline(threshold, color="0.3", linestyle=":", linewidth=1, label="logistic regression")
        bottom, top = ax.get_ylim()
        ax.set_ylim(max(bottom, 0), min(top, 100.5))  # a t interval is unbounded, an accuracy is not
        ax.set_title(probe_label(probe))
    axes[0].set_ylabel("test accuracy (%)")
    legend(figure, axes)
    return figure
