"""Implicit dimension of stacked star layers, counted and by the paper's order of growth."""

from lowparam.report.context import Context
from lowparam.report.star import growth_table
from lowparam.report.table_format import Table

CAPTION = "Implicit dimension of stacked star layers, counted exactly, with the paper's order of growth."
OF = "star"
ORDER = 11


def make(context: Context) -> Table:
    """Compute the table."""
    return growth_table(context.read("growth"))
