"""Every claim with the verdict of its primary test."""

from lowparam.report.claims import claims_table
from lowparam.report.context import Context
from lowparam.report.table_format import Table

CAPTION = (
    "Every claim with the verdict of its primary test: estimate, 95 % interval, p after Holm's correction, and the "
    "paper's value."
)
OF = "verdicts"
ORDER = 1
ON_PAGE = False


def make(context: Context) -> Table:
    """Compute the table."""
    return claims_table(context.verdicts, context.registry, context.name)
