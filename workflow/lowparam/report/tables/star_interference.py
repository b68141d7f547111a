"""Interference of star and sum at equal parameters, measure by measure."""

import pandas as pd

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.star_pairs import MEASURES, paired
from lowparam.report.table_format import Table

CAPTION = (
    "Interference of star against sum on {experiment}, at equal parameters: mean over {sizes} and over {seeds} seeds "
    "with 95 % t interval; star minus sum paired by size and seed. D and r: how much of a dimension a feature has for "
    "itself, and that over random weights; higher is less overlap. Joined features are products, which have "
    "d(d + 3)/2 dimensions, or sums, which have d. Log CI: 0 where contributions are independent. χ: 1 at chance, 0 "
    "without cross-talk."
)
APPLIES = ("compares_star_and_sum",)
ORDER = 61


def make(context: Context) -> Table:
    """Compute the table from ``runs.csv``."""
    return compare(context.runs)


def compare(runs: pd.DataFrame) -> Table:
    """Compute every measure for sum and star, mean over sizes, and the difference paired by size and seed."""
    found = paired(runs)
    rows, numbers = [], []
    for pair, of_pair in found.groupby("pair", sort=False):
        label = architecture_label(pair).replace(", star", "", 1)
        for measure, (printed, digits) in MEASURES.items():
            chosen = of_pair[of_pair["measure"] == measure]
            by_size = chosen.assign(difference=chosen["star"] - chosen["sum"])
            # The mean over sizes is taken within each seed, as seeds are the unit.
            by_seed = by_size.groupby("seed")[["sum", "star", "difference"]].agg(lambda s: s.mean(skipna=False))
            rows.append([label, printed, *(Cell(mean_interval(by_seed[arm]), digits) for arm in by_seed)])
            sizes = [("all", by_seed), *by_size.groupby(["network", "budget"], sort=False)]
            for size, group in sizes:
                for arm in by_seed:
                    about = {"pair": pair, "size": size if size == "all" else " ".join(size), "measure": measure}
                    numbers.append(about | {"quantity": arm, **vars(mean_interval(group[arm]))})
            label = ""
    sizes = found.groupby("pair", sort=False)[["network", "budget"]].apply(lambda f: len(f.drop_duplicates()))
    return Table(
        header=["network", "measure", "sum", "star", "star − sum"],
        rows=rows,
        labels=2,
        numbers=pd.DataFrame(numbers),
        details={"sizes": _range(sizes)},
    )


def _range(sizes: pd.Series) -> str:
    low, high = int(sizes.min()), int(sizes.max())
    return f"{low} to {high} sizes" if low < high else f"{low} size{'s' * (low > 1)}"
