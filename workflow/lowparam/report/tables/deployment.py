"""Accuracy, latency, flash and RAM of each network with 32 and 8 bits, and what fits a microcontroller."""

import pandas as pd

from lowparam.claims.statistics import Estimate
from lowparam.report.context import Context
from lowparam.report.deployment import fits, measured
from lowparam.report.estimates import GRID, mean_by_scale, untrained_scales
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.pareto import front_letters
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained, marker

CAPTION = (
    "What a device needs for the networks of {experiment}, without probe: test accuracy in % with 32 bits and with 8, "
    "and the points that 8 bits cost, mean over {seeds} seeds with 95 % t interval; milliseconds of an image in one "
    "thread of onnxruntime with 8 bits; flash, the bytes of the weights, and RAM, the arena of activations as "
    "TFLite-micro plans it, both in kB with 8 bits. Fits: the form in which weights fit 256 kB of flash and "
    "activations 128 kB of RAM. Front: no network is better with 8 bits at less flash (F), RAM (R) or latency (L)."
)
APPLIES = ("is_deployed",)
ORDER = 14
COSTS = {"int8_latency": (1, 2, "L"), "weight_bytes_int8": (1e3, 1, "F"), "arena_bytes_int8": (1e3, 1, "R")}
"""Columns of `measured`, with the unit that they are printed in, the digits after the point, and the front's letter."""
OTHERS = ["parameters", "macs", "weight_bytes", "peak_activation_bytes", "peak_activation_bytes_int8", "arena_bytes"]
OTHERS += ["latency"]
"""Columns that are in the csv alone."""
ACCURACIES = {"accuracy": 1, "int8_accuracy": 1, "int8_loss": 2}
"""Columns with the digits after the point; shares, printed in %."""


def make(context: Context) -> Table:
    """Compute a row for each network; a dash where a run was not exported."""
    runs = measured(context)
    runs = runs.assign(int8_loss=runs["accuracy"] - runs["int8_accuracy"])
    untrained = marker(context.runs)
    means = runs.groupby(GRID, sort=False)[[*COSTS, *OTHERS]].mean()
    estimates = {column: mean_by_scale(runs, column).set_index(GRID) for column in ACCURACIES}
    letters = {cost: letter for cost, (_, _, letter) in COSTS.items()}
    fronts = front_letters(means, estimates["int8_accuracy"]["mean"], letters, untrained_scales(context.runs))
    rows, numbers = [], []
    for key, costs in means.iterrows():
        architecture, _, budget = key
        cells, values = [], {}
        for column, digits in ACCURACIES.items():
            mean, half, n = estimates[column].loc[key, ["mean", "half_width", "n"]]
            mark = untrained(*key) if column == "accuracy" else ""
            cells.append(Cell(Estimate(100 * mean, 100 * half, int(n)), digits, mark=mark))
            values[column] = mean
        cells += [Cell.of(costs[column] / unit, digits) for column, (unit, digits, _) in COSTS.items()]
        rows.append([architecture_label(architecture), budget, *cells, fits(costs), fronts[key] or "–"])
        place = {"architecture": architecture, "budget": budget}
        numbers.append({**place, **values, **costs, "fits": fits(costs).replace("–", ""), "front": fronts[key]})
    header = ["architecture", "budget", "accuracy", "8 bits", "loss", "time (ms)", "flash (kB)", "RAM (kB)"]
    header += ["fits", "front"]
    return Table(header=header, rows=rows, labels=2, numbers=pd.DataFrame(numbers), notes=explained(rows))
