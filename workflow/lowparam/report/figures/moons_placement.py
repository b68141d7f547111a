"""Accuracy on the two moons by where star blocks are."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.star import placement_figure

CAPTION = "Accuracy on the two moons by the position of star blocks."
OF = "star"
ORDER = 12


def make(context: Context) -> Figure:
    """Draw the figure."""
    return placement_figure(context.read("moons"))
