"""Response to every dose that was varied."""

from matplotlib.figure import Figure

from lowparam.report.claim_curves import dose_response
from lowparam.report.context import Context

CAPTION = (
    "Response to every dose that was varied: thin lines are seeds, whiskers 95 % t intervals. Where a dose is to "
    "move a measure, the measure is the dashed line, on the right axis."
)
OF = "verdicts"
ORDER = 6
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    return dose_response(context.runs, context.registry)
