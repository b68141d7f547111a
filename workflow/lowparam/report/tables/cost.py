"""What is not equal at equal parameters: multiply-accumulates, memory and time, next to accuracy."""

import numpy as np
import pandas as pd

from lowparam import paths
from lowparam.claims.statistics import Estimate
from lowparam.params import format_size
from lowparam.report.context import Context
from lowparam.report.estimates import GRID, mean_by_scale
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained, marker

CAPTION = (
    "Costs that the parameter budget does not equalise on {experiment}, networks without probe: parameters, "
    "multiply-accumulates for one image in millions, largest sum of feature maps alive at once in kB (fp32), seconds "
    "of one CPU core to train a network, and test accuracy in %: mean over {seeds} seeds with 95 % t interval."
)
ORDER = 12
ON_PAGE = False  # measured time differs each time, and the page is the same after each rebuild
COSTS = {"parameters_total": (1, 0), "macs": (1e6, 2), "peak_activation_bytes": (1e3, 1)}
"""Columns of runs.csv, with the unit that they are printed in and the digits after the point."""


def make(context: Context) -> Table:
    """Compute a row for each network without probe; a dash where the time was not measured here."""
    runs = context.runs
    runs = runs[runs["probe"].eq("none")] if runs["probe"].eq("none").any() else runs
    accuracy = mean_by_scale(runs, "test_accuracy").set_index(GRID)
    seconds, untrained = seconds_by_scale(context), marker(runs)
    rows, numbers = [], []
    for key, group in runs.groupby(GRID, sort=False):
        architecture, _, budget = key
        costs = {column: group[column].mean() for column in COSTS}
        costs["seconds"] = seconds.get(key, np.nan)
        found = accuracy.loc[key]
        cells = [Cell.of(costs[column] / unit, digits) for column, (unit, digits) in COSTS.items()]
        percent = Estimate(100 * found["mean"], 100 * found["half_width"], found["n"])
        cells += [Cell.of(costs["seconds"], 1), Cell(percent, 1, mark=untrained(*key))]
        rows.append([architecture_label(architecture), budget, *cells])
        numbers.append({"architecture": architecture, "budget": budget, **costs, "test_accuracy": found["mean"]})
    return Table(
        header=["architecture", "budget", "parameters", "MACs (M)", "memory (kB)", "time (s)", "accuracy"],
        rows=rows,
        labels=2,
        numbers=pd.DataFrame(numbers),
        notes=[
            *explained(rows),
            "Times are those of the last job that trained a network, start of the process included; a job that resumed "
            "trainings shows less.",
        ],
    )


def seconds_by_scale(context: Context) -> dict[tuple[str, str, str], float]:
    """Return the measured seconds of one core that a training took, by architecture, probe and budget.

    Snakemake measures the job of a scale, which trains all its seeds; scales whose measurement is not here are missing.
    """
    found = {}
    for scale in context.params.scales(context.name):
        measured = paths.benchmarks(context.name) / "train" / f"{scale.name}.tsv"
        if measured.exists():
            seconds = pd.read_csv(measured, sep="\t", na_values="-")["cpu_time"].iloc[0]
            found[scale.label, scale.probe, format_size(scale.budget)] = seconds / len(context.experiment.seeds)
    return found
