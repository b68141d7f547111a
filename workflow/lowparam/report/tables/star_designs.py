"""StarNet with other designs of the block, ours and as published."""

from lowparam.report.context import Context
from lowparam.report.star_gaps import star_variants
from lowparam.report.table_format import Table

CAPTION = "StarNet with other designs of the block, ours and the published values: accuracy in %, and the change."
APPLIES = ("varies_starnet_design",)
ORDER = 66


def make(context: Context) -> Table:
    """Compute the table."""
    return star_variants("star_designs", context.runs, context.baseline, context.name)
