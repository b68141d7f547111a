"""Accuracy with and without activations, ours and as published."""

from lowparam.report.context import Context
from lowparam.report.star_gaps import star_activation
from lowparam.report.table_format import Table

CAPTION = (
    "Networks with and without activations, ours and the published values: accuracy in %, and the change paired "
    "by seed."
)
APPLIES = ("compares_activation",)
ORDER = 62


def make(context: Context) -> Table:
    """Compute the table."""
    return star_activation(context.runs, context.baseline, context.name)
