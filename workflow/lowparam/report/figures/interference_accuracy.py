"""Test accuracy against interference at equal budget."""

from matplotlib.figure import Figure

from lowparam.report.claim_curves import interference_accuracy
from lowparam.report.context import Context

CAPTION = (
    "Test accuracy over interference at equal budget: points are configurations, whiskers the standard deviation "
    "over seeds. Dashed: slope between configurations; short strokes: slope within them, over seeds."
)
OF = "verdicts"
ORDER = 4
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    return interference_accuracy(context.runs)
