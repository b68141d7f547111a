"""Estimate and interval of every test, by unit."""

from matplotlib.figure import Figure

from lowparam.report.claim_figures import forest
from lowparam.report.context import Context

CAPTION = (
    "Estimate and 95 % interval of every test of the papers' claims that has runs, a panel a unit. Colour and shape "
    "are the verdict after correction."
)
OF = "verdicts"
ORDER = 1
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    return forest(context.verdicts)
