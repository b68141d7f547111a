"""Measures of interference on toy models of growing superposition."""

from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.report.toy import sweep_table

CAPTION = "Measures of interference on toy models whose superposition grows as features become sparser."
OF = "toy"
ORDER = 11


def make(context: Context) -> Table:
    """Compute the table."""
    return sweep_table(context.read("sweep"))
