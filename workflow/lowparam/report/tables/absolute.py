"""Features that a neuron reads in toy models that compute absolute values."""

from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.report.toy import absolute_table

CAPTION = "Toy models that compute absolute values: how many features a neuron reads, by activation."
OF = "toy"
ORDER = 13


def make(context: Context) -> Table:
    """Compute the table."""
    return absolute_table(context.read("absolute"))
