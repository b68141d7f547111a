"""Test accuracy against parameters, multiply-accumulates and memory, with the Pareto fronts."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.estimates import GRID, in_order, mean_by_scale, untrained_scales
from lowparam.report.labels import architecture_label
from lowparam.report.layout import HOLLOW, legend, panels, size_axis, value_axis
from lowparam.report.pareto import front
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
    points = mean_by_scale(runs, "test_accuracy")
    points = points.join(runs.groupby(GRID)[list(COSTS)].mean(), on=GRID)
    points = points[points["mean"].notna()]
    if points.empty:
        return only_text("A seed of each configuration diverged.")
    trained = points[[tuple(row) not in untrained for row in points[GRID].to_numpy()]]
    figure, axes = panels(len(COSTS), height=2.6, sharey=True)
    for ax, (column, label) in zip(axes, COSTS.items(), strict=True):
        for _, row in points.iterrows():
            hollow = tuple(row[GRID]) in untrained
            look = styles[row["architecture"]] | {"linestyle": "", "label": architecture_label(row["architecture"])}
            bars = {"yerr": 100 * row["half_width"], "elinewidth": 0.8}
            ax.errorbar(row[column], 100 * row["mean"], **look, **bars)
            if hollow:
                ax.plot(row[column], 100 * row["mean"], **look | {"label": HOLLOW}, markerfacecolor="white", zorder=3)
        best = trained.iloc[front(trained[column].tolist(), trained["mean"].tolist())]
        ax.plot(best[column], 100 * best["mean"], drawstyle="steps-post", color="0.3", linewidth=1, zorder=0)
        size_axis([ax], points[column])
        ax.set_xlabel(label)
    axes[0].set_ylabel("test accuracy (%)")
    value_axis(axes, least=0, most=100)
    legend(figure)
    return figure
