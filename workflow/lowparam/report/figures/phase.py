"""Which features toy models keep, by importance and density."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.toy import phase_figure

CAPTION = "Which features toy models keep, by importance and density, with the boundary in closed form."
OF = "toy"
ORDER = 12


def make(context: Context) -> Figure:
    """Draw the figure."""
    return phase_figure(context.read("phase"))
