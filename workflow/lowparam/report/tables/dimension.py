"""Implicit dimension of one layer, counted and by formula."""

from lowparam.report.context import Context
from lowparam.report.star import dimension_table
from lowparam.report.table_format import Table

CAPTION = "Implicit dimension of one layer, counted exactly,and by the formulas."
OF = "star"
ORDER = 10


def make(context: Context) -> Table:
    """Compute the table."""
    return dimension_table(context.read("dimension"))
