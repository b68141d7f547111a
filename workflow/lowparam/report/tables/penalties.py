"""What each dose of a penalty moves: interference and accuracy, against the same network without it."""

import pandas as pd

from lowparam.claims.contrasts import Contrast, contrast, unit_of
from lowparam.claims.finding import NotTested
from lowparam.claims.statistics import holm, mean_interval, two_sided
from lowparam.params import Experiment
from lowparam.report.context import Context
from lowparam.report.estimates import untrained_scales
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import LEVEL, UNTRAINED, change_cells, explained

CAPTION = (
    "Networks trained with a penalty minus the same networks without it on {experiment}, paired by seed over {seeds} "
    "seeds and averaged over budgets: change of r at projections (dimensionality over its null), of chi (cross-talk "
    "between classes), of log CI (below zero where contributions at projections cancel) and of test accuracy in "
    "percentage points, each with 95 % t interval and p-value, two-sided and corrected over the rows (Holm). Bold: p "
    "at most 0.05."
)
APPLIES = ("varies_penalties",)
ORDER = 26

DIGITS = {"r_projection": 3, "chi_stages": 3, "log_ci_projection": 3, "test_accuracy": 2}


def make(context: Context) -> Table:
    """Compute the table."""
    numbers = changes(context.runs, context.experiment)
    untrained = {(architecture, probe) for architecture, probe, _ in untrained_scales(context.runs)}
    rows, still = [], []
    for (architecture, dose, variant), of_arm in numbers.groupby(["architecture", "dose", "variant"], sort=False):
        by_name = of_arm.set_index("quantity")
        mark = UNTRAINED if (f"{architecture}@{variant}", "none") in untrained else ""
        row: list[str | Cell] = [architecture_label(architecture), dose]
        for name, digits in DIGITS.items():
            row += change_cells(by_name, name, digits, mark if name == "test_accuracy" else "")
        rows.append(row)
        if not (of_arm["p_holm"] <= LEVEL).any():
            still.append(f"{architecture_label(architecture)} with {dose}")
    moves_nothing = [f"The seeds cannot tell any change in: {', '.join(still)}."] if still else []
    return Table(
        header=["network", "penalty", "r", "p", "chi", "p", "log CI", "p", "accuracy", "p"],
        rows=rows,
        labels=2,
        numbers=numbers,
        notes=[*explained(rows), *moves_nothing],
    )


def changes(runs: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Compute the change that each dose makes to each quantity, a row for each architecture, dose and quantity.

    Parameters
    ----------
    runs : DataFrame
        As in runs.csv; only runs without a probe are read.
    experiment : Experiment
        One of whose variants changes nothing, and others of which set ``penalties``.

    Returns
    -------
    DataFrame
        Columns architecture, dose, variant, quantity, unit, mean, half_width, n, and p and p_holm: two-sided, and
        corrected over the rows of a quantity.
    """
    base = next(name for name, given in experiment.variants.items() if not given)
    rows = []
    for quantity in DIGITS:
        for architecture in experiment.architectures:
            for variant, given in experiment.variants.items():
                if "penalties" not in given:
                    continue
                try:
                    found = _change(runs, quantity, f"{architecture}@{variant}", f"{architecture}@{base}")
                except NotTested:  # a measure that this network has not
                    continue
                values = found.values.mean(axis=0)
                dose = ", ".join(f"{name} {weight:g}" for name, weight in given["penalties"].items())
                row = {"architecture": architecture, "dose": dose, "variant": variant, "quantity": quantity}
                rows.append({**row, "unit": unit_of(quantity), **vars(mean_interval(values)), "p": two_sided(values)})
    table = pd.DataFrame(rows)
    table["p_holm"] = table.groupby("quantity")["p"].transform(lambda p: holm(p.to_numpy()))
    return table


def _change(runs: pd.DataFrame, quantity: str, with_it: str, without: str) -> Contrast:
    return contrast(runs, [(1, {"architecture": [with_it]}, {"architecture": [without]})], quantity)
