"""Lead of one scaling curve over another, and where it crosses zero."""

from matplotlib.figure import Figure

from lowparam.report.claim_curves import crossing
from lowparam.report.context import Context

CAPTION = (
    "Lead of one scaling curve over another and the line fitted to it. Thin lines are seeds, whiskers 95 % t "
    "intervals; the band is Fieller's interval of the crossing point, as far as it lies among the sizes."
)
OF = "verdicts"
ORDER = 3
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    return crossing(context.runs, context.registry)
