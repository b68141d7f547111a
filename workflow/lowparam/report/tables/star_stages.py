"""StarNet with star or sum stage by stage, ours and as published."""

from lowparam.report.context import Context
from lowparam.report.star_gaps import star_variants
from lowparam.report.table_format import Table

CAPTION = (
    "StarNet with star or sum stage by stage, ours and the published values: accuracy in %, and the change from "
    "all star."
)
APPLIES = ("varies_starnet_stages",)
ORDER = 63


def make(context: Context) -> Table:
    """Compute the table."""
    return star_variants("star_stages", context.runs, context.baseline, context.name)
