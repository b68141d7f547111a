"""Measures of interference on toy models from dense to sparse features."""

import pandas as pd

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.table_format import Table

CAPTION = (
    "Measures on toy models whose superposition grows as features become sparser (p is the probability that a feature "
    "is present; mean and 95 % interval over {models} models). Features per dimension is the truth. D and the positive "
    "part of the squared cosines follow it; frame potential and capacity used do not. At p = 1 nothing is in "
    "superposition, and the directions are arbitrary."
)
OF = "toy"
ORDER = 11

SWEEP = {
    "features_per_dimension": "features per dimension",
    "dimensionality": "mean D",
    "dimensionality_ratio": "r",
    "interference": "interference",
    "squared_cosine": "m cos²",
    "positive_cosine": "positive part",
    "coherence": "coherence",
    "frame_potential": "frame potential",
    "capacity_used": "capacity used",
}
"""Columns of sweep.csv with their printed names; the first is the truth."""


def make(context: Context) -> Table:
    """Compute the table from ``sweep.csv``."""
    return summarise(context.read("sweep"))


def summarise(sweep: pd.DataFrame) -> Table:
    """Compute the mean of each measure at each density."""
    rows, numbers = [], []
    for density, models in sweep.groupby("density", sort=False):
        row: list[str | Cell] = [f"{density:g}"]
        for measure in SWEEP:
            estimate = mean_interval(models[measure])
            row.append(Cell(estimate, 2))
            numbers.append({"density": density, "measure": measure, "mean": estimate.mean, "half": estimate.half_width})
        rows.append(row)
    return Table(
        header=["p", *SWEEP.values()],
        rows=rows,
        labels=1,
        numbers=pd.DataFrame(numbers),
        details={"models": sweep["seed"].nunique()},
    )
