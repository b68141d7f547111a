"""Interference of star and sum at equal parameters, measure by measure."""

from lowparam.report.context import Context
from lowparam.report.star_interference import star_interference
from lowparam.report.table_format import Table

CAPTION = "Interference of star against sum at equal parameters, measure by measure, paired by size and seed."
APPLIES = ("compares_star_and_sum",)
ORDER = 61


def make(context: Context) -> Table:
    """Compute the table."""
    return star_interference(context.runs, context.baseline, context.name)
