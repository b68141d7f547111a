"""Implicit dimension of star and sum layers, counted and by formula."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.star import dimension_figure

CAPTION = "Implicit dimension of star and sum layers, counted exactly (marks), and by formula (lines)."
OF = "star"
ORDER = 10


def make(context: Context) -> Figure:
    """Draw the figure."""
    return dimension_figure(context.read("dimension"), context.read("growth"))
