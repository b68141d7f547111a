"""Accuracy of DemoNets over width and depth, as published and ours."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.star_figures import star_sweeps

CAPTION = (
    "Accuracy of DemoNets with star and sum, with and without activation, over width and depth: as published above, "
    "ours below with 95 % t intervals over seeds."
)
APPLIES = ("sweeps_demonet",)
ORDER = 61


def make(context: Context) -> Figure:
    """Draw the figure."""
    return star_sweeps(context.runs, context.baseline)
