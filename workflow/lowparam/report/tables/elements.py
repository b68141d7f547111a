"""Change that each design element makes to a block: interference, accuracy and training time."""

import numpy as np
import pandas as pd

from lowparam.claims.elements import TESTED, Element, summarise
from lowparam.report.context import Context
from lowparam.report.formats import rounded
from lowparam.report.labels import architecture_label, element_label
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import change_cells, explained, marker
from lowparam.report.tables.cost import seconds_by_scale

CAPTION = (
    "Blocks with a part minus the same block without it on {experiment}, paired by seed over {seeds} seeds: change of "
    "r at projections (dimensionality over its null), of chi (cross-talk between classes) and of test accuracy in "
    "percentage points, each with 95 % t interval and p-value, two-sided and corrected over the parts of a block "
    "(Holm). Bold: p at most 0.05. Time: of training, start of the process included, over that of the block. Sorted by "
    "the change of r."
)
APPLIES = ("compares_elements",)
ORDER = 25
ON_PAGE = False  # as the table of costs: measured time differs each time

DIGITS = dict(zip(TESTED, (2, 3, 2), strict=True))
SLOW = 10


def make(context: Context) -> Table:
    """Compute the table."""
    numbers = summarise(context.runs).assign(unit=lambda table: table["quantity"].map(_unit))
    ratios = _times_of_block(context, numbers)
    untrained = marker(context.runs)
    rows = []
    for (host, part, budget), of_element in numbers.groupby(["host", "part", "budget"], sort=False):
        element, by_name = Element(host, part, budget), of_element.set_index("quantity")
        mark = untrained(element.architecture, "none", budget) or untrained(host, "none", budget)
        row = [architecture_label(host), element_label(part), budget]
        for name, digits in DIGITS.items():
            row += change_cells(by_name, name, digits, mark if name == "test_accuracy" else "")
        rows.append([*row, rounded(ratios[element], 1)])
    slow = [element.architecture for element, ratio in ratios.items() if ratio >= SLOW]
    notes = [f"{', '.join(slow)}: training takes {SLOW} times that of the block, or more."] if slow else []
    if not np.isfinite(list(ratios.values())).any():
        notes.append("Training times were not measured here.")
    return Table(
        header=["block", "part", "budget", "r", "p", "chi", "p", "accuracy", "p", "time"],
        rows=rows,
        labels=3,
        numbers=pd.concat([numbers, _as_numbers(ratios)], ignore_index=True),
        notes=[*explained(rows), *notes],
    )


def _unit(quantity: str) -> str:
    return "percentage points" if quantity == "test_accuracy" else quantity.partition("_")[0]


def _as_numbers(ratios: dict[Element, float]) -> pd.DataFrame:
    """Return the measured times as rows of the numbers."""
    rows = [{**vars(element), "mean": ratio} for element, ratio in ratios.items() if np.isfinite(ratio)]
    return pd.DataFrame(rows).assign(quantity="training_time", unit="times that of the block")


def named(found: pd.DataFrame) -> list[Element]:
    """Return the elements of rows that `summarise` made, each once."""
    return [Element(*key) for key in found[["host", "part", "budget"]].drop_duplicates().itertuples(index=False)]


def _times_of_block(context: Context, found: pd.DataFrame) -> dict[Element, float]:
    """Return the training time of each element over that of its block; NaN where one of them was not measured here."""
    seconds = seconds_by_scale(context)
    ratios = {}
    for element in named(found):
        own, host = (
            seconds.get((name, "none", element.budget), np.nan) for name in (element.architecture, element.host)
        )
        ratios[element] = own / host
    return ratios
