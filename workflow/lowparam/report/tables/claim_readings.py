"""Other tests of the claims: readings, accountings and controls."""

from lowparam.report.claims import readings_table
from lowparam.report.context import Context
from lowparam.report.table_format import Table

CAPTION = (
    "Readings, accountings and controls that accompany the primary tests: estimate, 95 % interval, p after Holm's "
    "correction."
)
OF = "verdicts"
ORDER = 2


def make(context: Context) -> Table:
    """Compute the table."""
    return readings_table(context.verdicts, context.registry, context.name)
