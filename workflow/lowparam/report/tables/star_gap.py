"""Accuracy of star and sum, ours and as published, with their gap."""

from lowparam.report.context import Context
from lowparam.report.star_gaps import star_gap
from lowparam.report.table_format import Table

CAPTION = "Star against sum, ours and the published values: accuracy in %, and their gap paired by seed."
APPLIES = ("compares_star_and_sum",)
ORDER = 60


def make(context: Context) -> Table:
    """Compute the table."""
    return star_gap(context.runs, context.baseline, context.name)
