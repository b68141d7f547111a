"""Feature dimensionality of toy models against sparsity."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.toy import geometry_figure

CAPTION = "Feature dimensionality of toy models as features become sparser, with the values of the known polytopes."
OF = "toy"
ORDER = 11


def make(context: Context) -> Figure:
    """Draw the figure."""
    return geometry_figure(context.read("sweep"), context.read("sweep_features"))
