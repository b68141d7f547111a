"""Blocks changed in one factor, compared with themselves."""

from matplotlib.figure import Figure

from lowparam.report.claim_figures import ablation
from lowparam.report.context import Context

CAPTION = (
    "Blocks changed in one factor against themselves, in interference and in accuracy, paired by seed: mean with 95 "
    "% t interval; strokes are seeds."
)
OF = "verdicts"
ORDER = 5
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure."""
    return ablation(context.runs, context.registry)
