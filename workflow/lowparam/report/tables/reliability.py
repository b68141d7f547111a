"""How far each interference measure distinguishes configurations rather than seeds."""

import pandas as pd

from lowparam.interference.reliability import icc_of_all
from lowparam.interference.summary import measure_columns
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.table_format import Table

CAPTION = (
    "Reliability of the measures on {experiment}: intraclass correlation of seeds within configurations "
    "(architecture, probe, budget), {seeds} seeds. 1: all variance is between configurations; 0: none is. "
    "A measure below 0.5 varies more with the seed than with the network and should support no claim."
)
APPLIES = ("has_several_seeds",)
ORDER = 50


def make(context: Context) -> Table:
    """Compute the table: a row a measure, a column for all runs and one for those without probe."""
    runs = context.runs
    columns = list(runs.columns)
    measures = [*measure_columns(columns), "test_accuracy"]
    arms = {"all probes": runs}
    if "none" in set(runs["probe"]) and runs["probe"].nunique() > 1:
        arms["own activation"] = runs[runs["probe"] == "none"]
    found = pd.concat([icc_of_all(arm, measures).assign(of=name) for name, arm in arms.items()], ignore_index=True)
    printed = found.pivot(index="measure", columns="of", values="icc")
    return Table(
        header=["measure", *arms],
        rows=[[name, *(Cell.of(printed.loc[name, arm], 2) for arm in arms)] for name in measures],
        labels=1,
        numbers=found,
    )
