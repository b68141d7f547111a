"""Accuracy, interference and costs of many architectures, with the Pareto fronts that each is on."""

import numpy as np
import pandas as pd

from lowparam.claims.statistics import Estimate
from lowparam.report.context import Context
from lowparam.report.estimates import GRID, mean_by_scale, untrained_scales
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.pareto import front_letters
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained, marker
from lowparam.report.tables.cost import COSTS, seconds_by_scale

CAPTION = (
    "All architectures of {experiment} without probe, by budget and falling accuracy: test accuracy in %, "
    "dimensionality of projections over its null (r), cross-talk between classes over its null (χ), "
    "multiply-accumulates for one image in millions, largest sum of feature maps alive at once in kB (fp32), and "
    "seconds of one CPU core to train a network: mean over {seeds} seeds with 95 % t interval. Front: no network of "
    "any budget is better at fewer parameters (P), multiply-accumulates (M) or activation memory (A)."
)
APPLIES = ("compares_many_architectures",)
ORDER = 13
ON_PAGE = False  # measured time differs each time, and the page is the same after each rebuild
MEASURES = {"test_accuracy": (100, 1), "r_projection": (1, 2), "chi_last": (1, 2)}
"""Columns of runs.csv, with the factor that they are printed with and the digits after the point."""
FRONTS = {"parameters_total": "P", "macs": "M", "peak_activation_bytes": "A"}


def make(context: Context) -> Table:
    """Compute a row for each network; a dash where a measure does not exist or the time was not measured here."""
    runs = context.runs[context.runs["probe"] == "none"]
    seconds, untrained = seconds_by_scale(context), marker(runs)
    means = runs.groupby(GRID, sort=False)[list(COSTS)].mean()
    estimates = {column: mean_by_scale(runs, column).set_index(GRID) for column in MEASURES}
    accuracy = estimates["test_accuracy"]["mean"].reindex(means.index)
    fronts = front_letters(means, accuracy, FRONTS, untrained_scales(runs))
    rows, numbers = [], []
    place = {budget: rank for rank, budget in enumerate(dict.fromkeys(means.index.get_level_values("budget")))}
    for key in sorted(means.index, key=lambda key: (place[key[2]], -np.nan_to_num(accuracy[key], nan=-1.0))):
        architecture, _, budget = key
        cells, values = [], {}
        for column, (factor, digits) in MEASURES.items():
            mean, half, n = estimates[column].loc[key, ["mean", "half_width", "n"]]
            mark = untrained(*key) if column == "test_accuracy" else ""
            cells.append(Cell(Estimate(factor * mean, factor * half, int(n)), digits, mark=mark))
            values[column] = mean
        for column in ("macs", "peak_activation_bytes"):
            unit, digits = COSTS[column]
            cells.append(Cell.of(means.loc[key, column] / unit, digits))
        cells.append(Cell.of(seconds.get(key, np.nan), 1))
        rows.append([architecture_label(architecture), budget, *cells, fronts[key] or "–"])
        costs = {column: means.loc[key, column] for column in COSTS} | {"seconds": seconds.get(key, np.nan)}
        numbers.append({"architecture": architecture, "budget": budget, **values, **costs, "front": fronts[key]})
    header = ["architecture", "budget", "accuracy", "r", "χ", "MACs (M)", "memory (kB)", "time (s)", "front"]
    return Table(header=header, rows=rows, labels=2, numbers=pd.DataFrame(numbers), notes=explained(rows))
