"""Implicit dimension of one layer, counted and by formula."""

import pandas as pd

from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.studies.star.dimension import paper_growth, printed_form

CAPTION = (
    "Implicit dimension of one layer without activation on d channels: rank of random functions at random points, "
    "exact modulo a prime, hence a lower bound. The number of monomials is an upper bound: (d+1)(d+2)/2 for star with "
    "biases, d(d+1)/2 without, d+1 and d for sum. {proof}The form 2d², printed in some copies of the abstract, is "
    "above the upper bound for every d ≥ 2."
)
OF = "star"
ORDER = 10

PRINTED_WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64)


def make(context: Context) -> Table:
    """Compute the table from ``dimension.csv``."""
    return compare(context.read("dimension"))


def compare(dimensions: pd.DataFrame) -> Table:
    """Compare the counted ranks of one layer with the formulas."""
    ranks = dimensions.pivot(index="channels", columns=["operator", "bias"], values="rank")
    bound = dimensions.set_index(["operator", "bias", "channels"])["closed_form"]
    rows = []
    for d in sorted(set(PRINTED_WIDTHS) & set(ranks.index)):
        cells = [
            f"{ranks.loc[d, key]}" + ("" if ranks.loc[d, key] == bound[(*key, d)] else "†")
            for key in (("star", True), ("star", False), ("sum", True), ("sum", False))
        ]
        rows.append([str(d), *cells, f"{paper_growth(d, 1):g}", str(printed_form(d))])
    proved = dimensions["proved"].all()
    proof = f"The two are equal at every d up to {dimensions['channels'].max()}. " if proved else ""
    return Table(
        header=["d", "star, biases", "star", "sum, biases", "sum", "d²/2", "2d²"],
        rows=rows,
        labels=1,
        numbers=dimensions,
        notes=[] if proved else ["† below the upper bound, so not settled."],
        details={"proof": proof},
    )
