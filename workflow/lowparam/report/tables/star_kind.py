"""StarNet with other activations, ours and as published."""

from lowparam.report.context import Context
from lowparam.report.star_gaps import star_variants
from lowparam.report.table_format import Table

CAPTION = "StarNet with activations of other kinds, ours and the published values: accuracy in %, and the change."
APPLIES = ("varies_starnet_kind",)
ORDER = 65


def make(context: Context) -> Table:
    """Compute the table."""
    return star_variants("star_kind", context.runs, context.baseline, context.name)
