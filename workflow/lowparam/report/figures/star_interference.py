"""Interference of star and sum at equal parameters, against parameters."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.star_interference import star_interference_figure

CAPTION = (
    "Interference of star and sum at equal parameters, over the number of parameters; whiskers are 95 % t intervals "
    "over seeds. Joined features are the products or the sums of two branches."
)
APPLIES = ("compares_star_and_sum", "has_several_sizes")
ORDER = 60


def make(context: Context) -> Figure:
    """Draw the figure."""
    return star_interference_figure(context.runs, context.baseline)
