"""Test accuracy against parameters, a panel for each probe, a line for each architecture."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.figures._lines import family_panels
from lowparam.report.layout import legend, value_axis

CAPTION = (
    "Test accuracy against number of parameters, one panel for each probe and one line for each architecture: mean "
    "over seeds with 95 % t interval, none where a seed diverged. Dotted: a linear model on the same split. "
    "Arrows: the interval is longer than the axis. "
    "Hollow marks: a run is untrained."
)
ORDER = 10
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    runs, baseline = context.runs, context.baseline
    threshold = 100 * baseline["test"]["accuracy"]
    figure, axes = family_panels(runs.assign(value=100 * runs["test_accuracy"]), "test accuracy (%)")
    for ax in axes.values():
        ax.axhline(threshold, color="0.3", linestyle=":", linewidth=1, label=baseline["model"].partition(",")[0])
        value_axis([ax], least=0, most=100, include=[threshold])
    legend(figure)
    return figure
