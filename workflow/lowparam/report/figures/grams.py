"""Cosines between the features of toy models."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.toy import grams_figure

CAPTION = "Cosines between the features of toy models whose superposition is known."
OF = "toy"
ORDER = 10


def make(context: Context) -> Figure:
    """Draw the figure."""
    return grams_figure(context.read("shapes"), context.read("grams"))
