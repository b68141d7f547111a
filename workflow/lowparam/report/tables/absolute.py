"""Features that a neuron reads in toy models that compute absolute values."""

import pandas as pd

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.table_format import Table

CAPTION = (
    "Features that a neuron reads (1 is monosemantic), and loss relative to that of answering 0, in toy models that "
    "compute |x| of 20 features with 16 neurons; mean and 95 % interval over {models} models."
)
OF = "toy"
ORDER = 13

ACTIVATION_LABELS = {"relu": "ReLU", "gelu": "GELU", "solu": "SoLU"}


def make(context: Context) -> Table:
    """Compute the table from ``absolute.csv``."""
    return summarise(context.read("absolute"))


def summarise(absolute: pd.DataFrame) -> Table:
    """Compute the means for each activation, norm and density."""
    rows, numbers = [], []
    for (activation, norm), models in absolute.groupby(["activation", "norm"], sort=False):
        row: list[str | Cell] = [ACTIVATION_LABELS[activation], norm]
        for density in absolute["density"].unique():
            chosen = models[models["density"] == density]
            for measure in ("features_per_neuron", "relative_loss"):
                estimate = mean_interval(chosen[measure])
                row.append(Cell(estimate, 2))
                key = {"activation": activation, "norm": norm, "density": density, "measure": measure}
                numbers.append({**key, "mean": estimate.mean, "half": estimate.half_width})
        rows.append(row)
    titles = [f"{what}, p = {density:g}" for density in absolute["density"].unique() for what in ("features", "loss")]
    return Table(
        header=["activation", "norm", *titles],
        rows=rows,
        labels=2,
        numbers=pd.DataFrame(numbers),
        details={"models": absolute["seed"].nunique()},
    )
