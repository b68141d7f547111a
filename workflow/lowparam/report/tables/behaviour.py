"""Which measures of interference follow superposition where it is known."""

from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.report.toy import behaviour_table

CAPTION = "Measures of interference on toy models whose superposition is known, and whether they follow it."
OF = "toy"
ORDER = 12


def make(context: Context) -> Table:
    """Compute the table."""
    return behaviour_table(context.read("sweep"))
