"""Effective rank of the last star block without activation, and what its first eigenvectors carry."""

from lowparam.report.context import Context
from lowparam.report.star import bilinear_table
from lowparam.report.table_format import Table

CAPTION = (
    "Eigenvectors of the last star block without activation: effective rank, and the accuracy that the first of "
    "them carry."
)
APPLIES = ("has_bilinear_blocks",)
ORDER = 70


def make(context: Context) -> Table:
    """Compute the table."""
    return bilinear_table(context.read("bilinear"), context.read("bilinear_accuracy"), context.name)
