"""Lay estimates out as most tables of an experiment do: a row an architecture and probe, a column a budget."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lowparam.claims.statistics import Estimate
from lowparam.report.context import Context
from lowparam.report.estimates import in_order, untrained_scales
from lowparam.report.formats import Cell, format_p
from lowparam.report.labels import architecture_label, probe_label

__all__ = ["LEVEL", "UNTRAINED", "change_cells", "explained", "grid", "header", "marker", "schedule"]

UNTRAINED = "‡"
"""The sign behind a number with an untrained run in it, as hollow marks are in figures."""
LEVEL = 0.05
"""The largest corrected p-value of a change that is printed in bold."""
SHORT = 10  # epochs; published networks are trained for hundreds


def header(runs: pd.DataFrame) -> list[str]:
    """Return the header of `grid`."""
    return ["architecture", "probe", *in_order(runs["budget"])]


def grid(
    estimates: pd.DataFrame, *, digits: int, best: str, mark: Callable[[pd.Series], str] = lambda row: ""
) -> list[list[str | Cell]]:
    """Arrange the rows of `mean_by_scale`.

    Parameters
    ----------
    estimates : DataFrame
        With columns architecture, probe, budget, mean, half_width and n.
    digits : int
        Digits after the point.
    best : {"max", "min"}
        Which mean of a column is printed in bold.
    mark : callable
        From a row to the sign behind its number.
    """
    top = estimates.groupby("budget")["mean"].agg(best)
    rows: dict[tuple[str, str], list[str | Cell]] = {}
    for _, row in estimates.iterrows():
        labels = (architecture_label(row["architecture"]), probe_label(row["probe"]))
        is_best = np.round(row["mean"], digits) == np.round(top[row["budget"]], digits)
        estimate = Estimate(row["mean"], row["half_width"], row["n"])
        rows.setdefault(labels, [*labels]).append(Cell(estimate, digits, best=is_best, mark=mark(row)))
    return list(rows.values())


def marker(runs: pd.DataFrame) -> Callable[[str, str, str], str]:
    """Return a function from architecture, probe and budget to the sign of a scale with an untrained run."""
    untrained = untrained_scales(runs)
    return lambda *scale: UNTRAINED if scale in untrained else ""


def explained(rows: list[list[str | Cell]]) -> list[str]:
    """Explain the sign, if there is one."""
    used = any(UNTRAINED in cell.mark for row in rows for cell in row if isinstance(cell, Cell))
    return [f"{UNTRAINED} a run is untrained: it learned hardly more than which class is the largest."] if used else []


def change_cells(changes: pd.DataFrame, quantity: str, digits: int, mark: str = "") -> list[str | Cell]:
    """Return the cells of a change and of its p-value, both dashes if it was not measured.

    Parameters
    ----------
    changes : DataFrame
        Indexed by quantity, with columns mean, half_width, n and p_holm.
    quantity : str
        A value of the index.
    digits : int
        Digits after the point.
    mark : str
        The sign behind the number.
    """
    if quantity not in changes.index:
        return [Cell(Estimate(np.nan, np.nan, 0), digits), format_p(np.nan)]
    row = changes.loc[quantity]
    change = Estimate(row["mean"], row["half_width"], int(row["n"]))
    return [Cell(change, digits, best=row["p_holm"] <= LEVEL, mark=mark), format_p(row["p_holm"])]


def schedule(context: Context) -> str:
    """Describe how long the networks are trained, and warn where that is much shorter than usual."""
    lengths = sorted({context.params.recipe(scale).epochs for scale in context.params.scales(context.name)})
    epochs = f"{lengths[0]} to {lengths[-1]} epochs" if len(lengths) > 1 else f"{lengths[0]} epochs"
    images = context.baseline["training_images"]
    text = f"trained for {'1 epoch' if lengths == [1] else epochs} on {images:,} images"
    return f"A short schedule: {text}." if lengths[-1] < SHORT else f"{text.capitalize()}."
