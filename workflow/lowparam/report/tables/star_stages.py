"""StarNet with star or sum stage by stage, ours and as published."""

from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.report.tables._star_variants import variants_table

CAPTION = (
    "{about}: top-1 accuracy in %, and change from the standard block in percentage points. ImageNet-1k: as published "
    "({source}), one run each. {ours}: the same change of this network, mean over {seeds} seeds with 95 % t interval, "
    "the change paired by seed."
)
APPLIES = ("varies_starnet_stages",)
ORDER = 63


def make(context: Context) -> Table:
    """Compute the table from ``runs.csv``, in the rows of table 7 of the paper."""
    return variants_table(7, context.runs, context.name)
