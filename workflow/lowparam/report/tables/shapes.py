"""Feature dimensionality of toy models and of the polytopes that they form."""

from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.report.toy import shapes_table

CAPTION = "Feature dimensionality of toy models and that of the polytopes they form."
OF = "toy"
ORDER = 10


def make(context: Context) -> Table:
    """Compute the table."""
    return shapes_table(context.read("shapes"))
