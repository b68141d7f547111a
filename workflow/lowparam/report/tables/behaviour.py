"""Which measures of interference follow superposition where it is known."""

import numpy as np
import pandas as pd
from scipy import stats

from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.table_format import Table
from lowparam.report.tables.sweep import SWEEP

CAPTION = (
    "Each measure on toy models whose superposition is known: rank correlation ρ with the features per dimension over "
    "{models} toy models in which features are present with probability {sparse} at most, and values at {few} and "
    "{many} features per dimension (mean and 95 % interval over models). A measure follows superposition if "
    "|ρ| ≥ {follows} and its largest mean is at least {moves} times its smallest."
)
OF = "toy"
ORDER = 12

SPARSE = 0.5  # largest density at which features share dimensions
FOLLOWS, MOVES = 0.9, 1.2


def make(context: Context) -> Table:
    """Compute the table from ``sweep.csv``."""
    return judge(context.read("sweep"))


def judge(sweep: pd.DataFrame) -> Table:
    """Decide for each measure whether it follows the superposition of the sweep, where features are sparse."""
    sparse = sweep[sweep["density"] <= SPARSE]
    truth = "features_per_dimension"
    few, many = (sparse[sparse["density"] == density] for density in (sparse["density"].max(), sparse["density"].min()))
    rows, numbers = [], []
    for measure, label in SWEEP.items():
        if measure == truth:
            continue
        rank = Estimate(float(stats.spearmanr(sparse[measure], sparse[truth])[0]), np.nan, len(sparse))
        means = sparse.groupby("density")[measure].mean()
        follows = abs(rank.mean) >= FOLLOWS and means.max() >= MOVES * means.min()
        reading = ("rises" if rank.mean > 0 else "falls") + " with superposition" if follows else "does not follow it"
        ends = [mean_interval(models[measure]) for models in (few, many)]
        rows.append([label, Cell(rank, 2), *(Cell(end, 2) for end in ends), reading])
        both = dict(zip(("few", "many"), (end.mean for end in ends), strict=True))
        numbers.append({"measure": measure, "spearman": rank.mean, **both, "follows": follows})
    counts = [f"{models[truth].mean():.1f}" for models in (few, many)]
    return Table(
        header=["measure", "ρ", *(f"at {count}" for count in counts), "reading"],
        rows=rows,
        labels=1,
        numbers=pd.DataFrame(numbers),
        details={
            "models": len(sparse),
            "sparse": f"{SPARSE:g}",
            "few": counts[0],
            "many": counts[1],
            "follows": f"{FOLLOWS:g}",
            "moves": f"{MOVES:g}",
        },
    )
