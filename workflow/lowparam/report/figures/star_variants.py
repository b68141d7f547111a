"""Change of StarNet's accuracy from the standard block, as published and ours."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.star_figures import star_variants_figure

CAPTION = (
    "Change of StarNet's accuracy from the standard block: as published for StarNet-S4 on the left, ours on the "
    "right with 95 % t intervals over seeds, paired by seed."
)
APPLIES = ("varies_starnet",)
ORDER = 62


def make(context: Context) -> Figure:
    """Draw the figure."""
    return star_variants_figure(context.runs, context.baseline)
