"""Implicit dimension of stacked star layers, counted and by the paper's order of growth."""

import pandas as pd

from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.studies.star.dimension import closed_form, paper_growth

CAPTION = (
    "Implicit dimension after l star layers of d channels with biases, all weights varied: exact rank, or ≤ with the "
    "upper bound, the number of monomials up to degree 2 to the power l. {proof}Paper: d/√2 to the power 2 to the "
    "power l. Last: rank where only the last layer's weights vary, in the deepest stack counted."
)
OF = "star"
ORDER = 11

STACKED_WIDTHS = range(1, 13)


def make(context: Context) -> Table:
    """Compute the table from ``growth.csv``."""
    return compare(context.read("growth"))


def compare(growth: pd.DataFrame) -> Table:
    """Compare the counted ranks of stacked layers with their bound and with the paper."""
    chosen = growth[growth["bias"]].set_index(["layers", "channels"])
    layers = growth["layers"].unique().tolist()
    rows = []
    for d in sorted(set(STACKED_WIDTHS) & set(growth["channels"])):
        row = [str(d)]
        for depth in layers:
            bound = closed_form("star", d, bias=True, layers=depth)
            counted = (depth, d) in chosen.index
            row.append(str(chosen.loc[(depth, d), "rank"]) if counted else f"≤ {bound}")
            row.append(_short(paper_growth(d, depth)))
        deepest = chosen[chosen.index.get_level_values("channels") == d].iloc[-1]
        rows.append([*row, str(deepest["rank_last"])])
    titles = [title for depth in layers for title in (f"l = {depth}", "paper")]
    proved = chosen["proved"].all()
    return Table(
        header=["d", *titles, "last"],
        rows=rows,
        labels=1,
        numbers=growth,
        details={"proof": "Where it was counted, the rank equals the bound. " if proved else ""},
    )


def _short(value: float) -> str:
    """Format with three digits, as in 0.5, 1640 or 2.1e7."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}" if value < 1e5 else f"{value:.1e}".replace("e+0", "e")
