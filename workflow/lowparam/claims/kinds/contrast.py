"""From runs to one number a seed: select the runs of a contrast, and set them against each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from lowparam.claims.finding import NotTested

__all__ = [
    "Cells",
    "Contrast",
    "Term",
    "Where",
    "chosen",
    "complete",
    "contrast",
    "count",
    "outcome_of",
    "over_budgets",
    "unit_of",
]

Where = dict[str, list[str]]  # column of runs.csv -> values or patterns, all of which must be there
Term = tuple[int, Where, Where | None]  # sign, what, and what it is set against

COLUMNS = ("budget", "architecture", "probe")
MATCHED = 0.05  # largest difference in size, as a share, of networks that are called equal


@dataclass(frozen=True)
class Cells:
    """An outcome laid out by cell and seed.

    Parameters
    ----------
    keys : list of (budget, architecture, probe)
        In the order of runs.csv.
    seeds : list of int
    values : ndarray of shape (cells, seeds)
        NaN where a run diverged or is not there.
    """

    keys: list[tuple[str, str, str]]
    seeds: list[int]
    values: np.ndarray

    @classmethod
    def read(cls, runs: pd.DataFrame, outcome: str) -> "Cells":
        """Lay out a column of runs.csv.

        Raises
        ------
        NotTested
            If the column is not there or empty.
        """
        found = outcome_of(runs, outcome)
        if "status" in runs:
            found = np.where(runs["status"] == "diverged", np.nan, found)
        rows = list(zip(*(runs[column].tolist() for column in COLUMNS), strict=True))
        keys = {key: place for place, key in enumerate(dict.fromkeys(rows))}
        seeds = {seed: place for place, seed in enumerate(sorted(set(runs["seed"].tolist())))}
        values = np.full((len(keys), len(seeds)), np.nan)
        values[[keys[row] for row in rows], [seeds[seed] for seed in runs["seed"].tolist()]] = found
        return cls(list(keys), list(seeds), values)

    def minus(self, other: "Cells | float") -> "Cells":
        """Subtract a number, or the same cells of another column."""
        return Cells(self.keys, self.seeds, self.values - (other.values if isinstance(other, Cells) else other))

    def sizes(self) -> np.ndarray:
        """Mean over seeds, of shape (cells,)."""
        there = np.isfinite(self.values)
        total = np.where(there, self.values, 0).sum(axis=1)
        return np.divide(total, there.sum(axis=1), out=np.full(len(total), np.nan), where=there.any(axis=1))

    def select(self, where: Where) -> dict[str, list[int]]:
        """Rows that a selection names, by budget; only budgets that have every combination.

        Raises
        ------
        NotTested
            If a value or pattern matches nothing, or no budget has every combination.
        """
        where = complete(where)
        chosen = range(len(self.keys))
        for column, patterns in where.items():
            part = COLUMNS.index(column)
            found = {value: [fnmatchcase(value, p) for p in patterns] for value in {key[part] for key in self.keys}}
            for place, pattern in enumerate(patterns):
                if not any(hits[place] for hits in found.values()):
                    raise NotTested(f"no run with {column} {pattern}")
            chosen = [row for row in chosen if any(found[self.keys[row][part]])]
        budgets: dict[str, list[int]] = {}
        for row in chosen:
            budgets.setdefault(self.keys[row][0], []).append(row)
        members = len({self.keys[row][1:] for row in chosen})
        whole = {budget: rows for budget, rows in budgets.items() if len(rows) == members}
        if not whole:
            raise NotTested("no budget has all runs of " + " with ".join(", ".join(v) for v in where.values()))
        return whole

    def curve(self, where: Where) -> np.ndarray:
        """Rows of a selection over all its budgets."""
        return np.array([row for rows in self.select(where).values() for row in rows])


@dataclass(frozen=True)
class Contrast:
    """A contrast, budget by budget and seed by seed.

    Parameters
    ----------
    budgets : list of str
    seeds : list of int
    values : ndarray of shape (budgets, seeds)
        NaN where a run that is needed diverged.
    """

    budgets: list[str]
    seeds: list[int]
    values: np.ndarray


def contrast(
    runs: pd.DataFrame, terms: list[Term], outcome: str, *, reference: float | str = 0.0, matched: str | None = None
) -> Contrast:
    """Sum of signed differences in the budgets that all arms have.

    One term is a difference, two with opposite signs a difference of differences, and so on. Where an arm names
    several architectures or probes, it is their mean: they are fixed, and the answer is about them only.

    Parameters
    ----------
    runs : DataFrame
        As in runs.csv.
    terms : list of (sign, plus, minus)
        `minus` may be None, where the outcome of `plus` is compared with `reference`.
    outcome : str
        A column of runs.csv.
    reference : float or str
        A number, or the column that has the null of a run; subtracted from the outcome.
    matched : str or None
        A column such as parameters_body that must be equal within 5 % in all arms of a budget.

    Raises
    ------
    NotTested
        If a run that the contrast names is not there, or the arms are not matched.
    """
    table = Cells.read(runs, outcome)
    table = table.minus(Cells.read(runs, reference) if isinstance(reference, str) else reference)
    signed = [(s, table.select(w)) for sign, plus, minus in terms for s, w in ((sign, plus), (-sign, minus)) if w]
    budgets = [budget for budget in signed[0][1] if all(budget in arm for _, arm in signed)]
    if not budgets:
        raise NotTested("the arms have no budget in common")
    if matched is not None:
        _refuse_unmatched(Cells.read(runs, matched), [arm for _, arm in signed], budgets, matched)
    values = [sum(sign * table.values[arm[budget]].mean(axis=0) for sign, arm in signed) for budget in budgets]
    return Contrast(budgets, table.seeds, np.array(values))


def over_budgets(differences: Contrast) -> np.ndarray:
    """One value a seed: the mean over budgets.

    Where a run diverged, the seed's other budgets speak for it: what budgets have in common is taken out first, so
    that a seed without a small network does not look better for it.

    Returns
    -------
    ndarray of shape (seeds,)
        Seeds with nothing left are left out.

    Raises
    ------
    NotTested
        If fewer than two seeds are left.
    """
    values = differences.values
    values = values[np.isfinite(values).any(axis=1)]
    values = values[:, np.isfinite(values).any(axis=0)]
    if values.shape[1] < 2:
        raise NotTested("fewer than two seeds are left, and one seed has no spread to judge by")
    means = np.nanmean(values, axis=1, keepdims=True)
    return np.nanmean(values - means, axis=0) + means.mean()


def outcome_of(runs: pd.DataFrame, outcome: str) -> np.ndarray:
    """Return a column of runs.csv in the unit of its claims: accuracies in percentage points.

    ``test_error`` and the like, not in runs.csv, is 100 minus the accuracy.

    Raises
    ------
    NotTested
        If runs.csv has no such column, or nothing in it.
    """
    column = outcome.removesuffix("_error") + "_accuracy" if outcome.endswith("_error") else outcome
    values = runs[column].to_numpy(dtype=float) if column in runs else np.array([])
    if not np.isfinite(values).any():
        raise NotTested(f"no run has {column}")
    if column.endswith("_accuracy"):
        values = 100 * values
    return 100 - values if outcome.endswith("_error") else values


def unit_of(outcome: str) -> str:
    """Unit of an outcome in print."""
    if outcome.endswith(("_accuracy", "_error")):
        return "points"
    names = {"r_projection": "r", "dimensionality_projection": "dimensionality", "forced_projection": "dimensionality"}
    return names.get(outcome, outcome.split("_")[0])


def complete(where: Where) -> Where:
    """Where a selection does not speak of probes, the architecture's own is meant."""
    return {"probe": ["none"]} | where


def chosen(runs: pd.DataFrame, wheres: Iterable[Where]) -> np.ndarray:
    """Whether any of the selections names a run, of shape (runs,)."""
    named = np.zeros(len(runs), dtype=bool)
    for where in wheres:
        these = np.ones(len(runs), dtype=bool)
        for column, patterns in complete(where).items():
            these &= np.array([any(fnmatchcase(value, p) for p in patterns) for value in runs[column]], dtype=bool)
        named |= these
    return named


def count(runs: pd.DataFrame, wheres: Iterable[Where]) -> tuple[int, int]:
    """Number of runs that any of the selections names, and how many of them diverged."""
    named = chosen(runs, wheres)
    diverged = (runs["status"] == "diverged").to_numpy() if "status" in runs else np.zeros(len(runs), dtype=bool)
    return int(named.sum()), int((named & diverged).sum())


def _refuse_unmatched(table: Cells, arms: list[dict[str, list[int]]], budgets: list[str], column: str) -> None:
    sizes = table.sizes()
    apart = 0.0
    for budget in budgets:
        of_budget = np.concatenate([sizes[arm[budget]] for arm in arms])
        apart = max(apart, of_budget.max() / of_budget.min() - 1)
    if apart > MATCHED:
        raise NotTested(f"the networks of a budget differ by up to {100 * apart:.0f} % in {column}")
