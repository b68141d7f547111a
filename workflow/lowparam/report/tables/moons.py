"""Accuracy on the two moons, and agreement with support vector machines."""

from lowparam.report.context import Context
from lowparam.report.star import moons_table
from lowparam.report.table_format import Table

CAPTION = "Accuracies on the two moons, and how far networks agree with support vector machines, in %."
OF = "star"
ORDER = 12


def make(context: Context) -> Table:
    """Compute the table."""
    return moons_table(context.read("moons"))
