"""Accuracy on the two moons, and agreement with support vector machines."""

import numpy as np
import pandas as pd

from lowparam.claims.statistics import mean_interval
from lowparam.references.stars import MOONS_ACCURACY
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.table_format import Table

CAPTION = (
    "Two moons (100 points, noise 0.4), in %: mean over {networks} seeds with 95 % t interval. S: star block, +: sum "
    "block, from input to output. Train: the best of 30 epochs, as published, and the last; fresh: new points of the "
    "same distribution; as SVM: share of the plane that gets the same label. Sd: standard deviation over seeds."
)
OF = "star"
ORDER = 12

MEASURES = {
    "train_best": "train, best",
    "train_last": "train, last",
    "fresh": "fresh",
    "agree_svm_poly": "as poly. SVM",
    "agree_svm_rbf": "as RBF SVM",
}
MACHINES = {"svm_poly": "SVM, polynomial", "svm_rbf": "SVM, Gaussian"}
ACTIVATION_LABELS = {"relu": "ReLU", "none": "none"}


def make(context: Context) -> Table:
    """Compute the table from ``moons.csv``."""
    return summarise(context.read("moons"))


def summarise(moons: pd.DataFrame) -> Table:
    """Compute the mean accuracies and agreements over seeds, in percent."""
    rows, numbers = [], []
    nets = moons[moons["seed"] >= 0]
    for (net, activation), runs in nets.groupby(["net", "activation"], sort=False):
        cells = []
        for measure in MEASURES:
            estimate = mean_interval(100 * runs[measure])
            cells.append(Cell(estimate))
            numbers.append(
                {
                    "net": net,
                    "activation": activation,
                    "quantity": measure,
                    **vars(estimate),
                    "sd": 100 * runs[measure].std(),
                    "unit": "percent",
                }
            )
        published = MOONS_ACCURACY.get((net, activation), "–")
        rows.append([net, ACTIVATION_LABELS[activation], published, *cells, f"{100 * runs['train_best'].std():.1f}"])
    for _, machine in moons[moons["seed"] < 0].iterrows():
        cells = [f"{100 * machine[measure]:.1f}" for measure in MEASURES]
        rows.append([MACHINES[machine["net"]], "–", "–", *cells, "–"])
        for measure in MEASURES:
            numbers.append(
                {"net": machine["net"], "activation": "none", "quantity": measure, "mean": 100 * machine[measure]}
                | {"half_width": np.nan, "n": 1, "sd": np.nan, "unit": "percent"}
            )
    header = ["blocks", "activation", "published", *MEASURES.values(), "sd of best"]
    return Table(
        header=header, rows=rows, labels=2, numbers=pd.DataFrame(numbers), details={"networks": nets["seed"].nunique()}
    )
