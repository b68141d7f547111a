"""Effective rank of the last star block without activation, and the accuracy that its first eigenvectors reach."""

import pandas as pd

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.table_format import Table

CAPTION = (
    "Eigenvectors of the last star block without activation on {experiment}, a quadratic form for each class: mean "
    "over classes, then over seeds with 95 % t interval. Effective rank of d + 1 possible; share in % of the squared "
    "norm in the largest 1 and 4 eigenvalues; test accuracy in % with none, 4 and all eigenvectors of each class kept "
    "in that block; share in % of the variance of its part of the logits that 4 explain."
)
APPLIES = ("has_bilinear_blocks",)
ORDER = 70


def make(context: Context) -> Table:
    """Compute the table from ``bilinear.csv`` and ``bilinear_accuracy.csv``, which ``lowparam bilinear`` writes."""
    return summarise(context.read("bilinear"), context.read("bilinear_accuracy"))


def summarise(classes: pd.DataFrame, accuracies: pd.DataFrame) -> Table:
    """Compute the means over classes, then over seeds."""
    run = ["architecture", "budget", "trained", "seed"]
    measures = ["channels", "effective_rank", "share_1", "share_4"]
    by_seed = classes.groupby(run, sort=False)[measures].mean()
    kept = accuracies.set_index([*run, "terms"]).sort_index()
    last = accuracies.groupby(run)["terms"].max()
    for terms in (0, 4):
        by_seed[f"accuracy_{terms}"] = [kept.loc[(*key, terms), "accuracy"] for key in by_seed.index]
    by_seed["accuracy_all"] = [kept.loc[(*key, last[key]), "accuracy"] for key in by_seed.index]
    by_seed["explained_4"] = [kept.loc[(*key, 4), "explained"] for key in by_seed.index]
    shares = [name for name in by_seed if name not in ("channels", "effective_rank")]
    by_seed[shares] *= 100
    rows, numbers = [], []
    for (name, budget, trained), group in by_seed.groupby(level=run[:3], sort=False):
        label = [architecture_label(name), budget, "trained" if trained else "untrained"]
        cells = []
        for measure in by_seed.columns:
            estimate = mean_interval(group[measure])
            numbers.append(
                dict(zip(run[:3], (name, budget, trained), strict=True)) | {"quantity": measure, **vars(estimate)}
            )
            if measure != "channels":
                cells.append(Cell(estimate))
        rows.append([*label, f"{group['channels'].iloc[0]:.0f}", *cells])
    return Table(
        header=["network", "budget", "", "d", "eff. rank", "first", "first 4", "none", "4 kept", "all", "4 explain"],
        rows=rows,
        labels=3,
        numbers=pd.DataFrame(numbers),
    )
