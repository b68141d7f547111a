"""Test accuracy against size in three accountings."""

from matplotlib.figure import Figure

from lowparam.report.claim_curves import scaling
from lowparam.report.context import Context

CAPTION = (
    "Test accuracy over size, counted with the classifier, without it, and in multiply-adds: mean over seeds with "
    "95 % t interval."
)
OF = "verdicts"
ORDER = 2
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    return scaling(context.runs)
