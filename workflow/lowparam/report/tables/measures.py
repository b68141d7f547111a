"""Which interference measures say something of their own: reliability, and the measure that each is most alike."""

import numpy as np
import pandas as pd

from lowparam.interference.known_behaviour import BEHAVIOUR
from lowparam.interference.measure_table import cost
from lowparam.interference.reliability import icc_of_all
from lowparam.interference.summary import columns, measure_columns
from lowparam.report.context import Context
from lowparam.report.estimates import GRID
from lowparam.report.formats import Cell
from lowparam.report.table_format import Table

CAPTION = (
    "Measures over the networks of {experiment} without probe, means over {seeds} seeds: intraclass correlation of "
    "seeds (ICC), rank correlation with test accuracy, and with the measure that is most alike; rank correlation with "
    "the features per channel of networks whose superposition is known; and cost, as a share of the time of a profile "
    "with the default measures, of all columns of a measure together. A measure is redundant "
    "where it ranks the networks as one above it does (|ρ| of 0.95 and more); one with an ICC below 0.5 varies more "
    "with the seed than with the network."
)
APPLIES = ("compares_many_architectures", "has_several_seeds")
ORDER = 52
REDUNDANT, UNRELIABLE = 0.95, 0.5


def make(context: Context) -> Table:
    """Compute a row for each measure that differs between networks, in the order of runs.csv."""
    runs = context.runs[context.runs["probe"] == "none"]
    means = runs.groupby(GRID, sort=False)[[*measure_columns(runs.columns), "test_accuracy"]].mean()
    measures = [name for name in means if name != "test_accuracy" and means[name].nunique() > 1]
    ranks = means.corr("spearman")
    reliability = icc_of_all(runs, measures).set_index("measure")["icc"]
    files = columns()
    rows, numbers = [], []
    for place, name in enumerate(measures):
        others = ranks.loc[name, [other for other in measures if other != name]].abs()
        alike = others.idxmax() if others.notna().any() else None
        rho = ranks.loc[name, alike] if alike else np.nan
        # Of two that say the same, the one that comes first in runs.csv is kept.
        same = next((other for other in measures[:place] if abs(ranks.loc[name, other]) >= REDUNDANT), "")
        icc = reliability[name]
        reading = f"redundant with {same}" if same else "unreliable" if icc < UNRELIABLE else ""
        with_accuracy = ranks.loc[name, "test_accuracy"]
        known = BEHAVIOUR.get(name, np.nan)
        cells = [Cell.of(icc, 2), Cell.of(with_accuracy, 2), alike or "–", Cell.of(rho, 2), Cell.of(known, 2)]
        rows.append([name, *cells, cost(files[name]["measure"]) or "–", reading])
        numbers.append(
            {
                "measure": name,
                "icc": icc,
                "rho_accuracy": with_accuracy,
                "alike": alike,
                "rho": rho,
                "rho_superposition": known,
                "reading": reading,
            }
        )
    header = ["measure", "ICC", "ρ with accuracy", "most alike", "ρ", "ρ with superposition", "cost", "reading"]
    return Table(header=header, rows=rows, labels=1, numbers=pd.DataFrame(numbers))
