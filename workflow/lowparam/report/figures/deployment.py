"""Test accuracy with 8 bits against flash, RAM and latency, with the Pareto fronts."""

import numpy as np
from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.deployment import FLASH_LIMIT, RAM_LIMIT, measured
from lowparam.report.estimates import in_order, untrained_scales
from lowparam.report.figures._fronts import cost_points, draw_front
from lowparam.report.layout import legend, panels, size_axis, value_axis
from lowparam.report.style import looks, only_text

CAPTION = (
    "Test accuracy on {experiment} with 8 bits against the bytes of the weights (flash), the arena of activations as "
    "TFLite-micro plans it (RAM), and the time of an image in one thread of onnxruntime: mean over {seeds} seeds with "
    "95 % t interval, one point for each architecture and budget, without probe. Line: the Pareto front, which no "
    "other network beats at less cost. Dotted: 256 kB of flash and 128 kB of RAM. No point where a run was not "
    "exported; hollow marks: a run is untrained, and on no front."
)
APPLIES = ("is_deployed",)
ORDER = 6
COSTS = {
    "weight_bytes_int8": ("flash (bytes)", FLASH_LIMIT),
    "arena_bytes_int8": ("RAM (bytes)", RAM_LIMIT),
    "int8_latency": ("latency (ms)", None),
}


def make(context: Context) -> Figure:
    """Draw one panel for each cost."""
    runs = measured(context)
    styles, untrained = looks(in_order(runs["architecture"])), untrained_scales(context.runs)
    points = cost_points(runs, "int8_accuracy", COSTS)
    if points.empty:
        return only_text("No network was exported in all its runs.")
    figure, axes = panels(len(COSTS), height=2.6, sharey=True)
    for ax, (column, (label, limit)) in zip(axes, COSTS.items(), strict=True):
        draw_front(ax, points, column, styles, untrained)
        if limit is not None and np.max(points[column]) >= limit / 10:
            ax.axvline(limit, color="0.3", linewidth=0.8, linestyle=":")
        ax.set_xlabel(label)
        if limit is None:
            value_axis([ax], "x", least=0)
        else:
            size_axis([ax], points[column])
    axes[0].set_ylabel("test accuracy, 8 bits (%)")
    value_axis(axes, least=0, most=100)
    legend(figure)
    return figure
