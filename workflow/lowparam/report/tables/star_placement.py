"""StarNet with its activation in other places, ours and as published."""

from lowparam.report.context import Context
from lowparam.report.star_gaps import star_variants
from lowparam.report.table_format import Table

CAPTION = "StarNet with its activation in other places, ours and the published values: accuracy in %, and the change."
APPLIES = ("varies_starnet_placement",)
ORDER = 64


def make(context: Context) -> Table:
    """Compute the table."""
    return star_variants("star_placement", context.runs, context.baseline, context.name)
