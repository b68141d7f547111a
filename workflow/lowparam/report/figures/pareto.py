"""Test accuracy against parameters, multiply-accumulates and memory, with the Pareto fronts."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.estimates import in_order, untrained_scales
from lowparam.report.figures._fronts import cost_points, draw_front
from lowparam.report.layout import legend, panels, size_axis, value_axis
from lowparam.report.style import looks, only_text

CAPTION = (
    "Test accuracy on {experiment} against parameters, multiply-accumulates of one image, and the largest sum of "
    "feature maps alive at once: mean over {seeds} seeds with 95 % t interval, one point for each architecture and "
    "budget, without probe. Line: the Pareto front, which no other network beats at less cost. No point where a seed "
    "diverged; hollow marks: a run is untrained, and on no front."
)
APPLIES = ("compares_many_architectures",)
ORDER = 5
COSTS = {
    "parameters_total": "parameters",
    "macs": "multiply-accumulates",
    "peak_activation_bytes": "activation memory (bytes)",
}


def make(context: Context) -> Figure:
    """Draw one panel for each cost."""
    runs = context.runs[context.runs["probe"] == "none"]
    styles, untrained = looks(in_order(runs["architecture"])), untrained_scales(runs)
    points = cost_points(runs, "test_accuracy", COSTS)
    if points.empty:
        return only_text("A seed of each configuration diverged.")
    figure, axes = panels(len(COSTS), height=2.6, sharey=True)
    for ax, (column, label) in zip(axes, COSTS.items(), strict=True):
        draw_front(ax, points, column, styles, untrained)
        size_axis([ax], points[column])
        ax.set_xlabel(label)
    axes[0].set_ylabel("test accuracy (%)")
    value_axis(axes, least=0, most=100)
    legend(figure)
    return figure
