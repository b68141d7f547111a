"""Contrasts: select the runs of each arm, subtract, and average to one number per seed."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from lowparam.claims.finding import NotTested

__all__ = [
    "MATCHED",
    "MOST_FAILED",
    "Contrast",
    "OutcomeGrid",
    "RunCount",
    "Selection",
    "SignedArm",
    "contrast",
    "contrast_across_budgets",
    "count_arms",
    "count_runs",
    "failed_architectures",
    "outcome_of",
    "over_budgets",
    "selected",
    "unit_of",
    "with_default_probe",
]

Selection = dict[str, list[str]]
"""Column of runs.csv -> values or patterns, each of which must match a run."""
SignedArm = tuple[int, Selection, Selection | None]
"""Sign, the runs, and the runs subtracted from them (None: compared with a reference)."""

COLUMNS = ("budget", "architecture", "probe")
MATCHED = 0.05
"""Largest relative difference in size of networks that count as equal."""
MOST_FAILED = 0.1
"""Largest share of an arm's runs that may diverge or stay untrained; with more its results are about optimisation."""


@dataclass(frozen=True)
class OutcomeGrid:
    """Arrange one column of runs.csv as an array with a row per configuration and a column per seed.

    Parameters
    ----------
    keys : list of (budget, architecture, probe)
        The configurations, in the order of runs.csv.
    seeds : list of int
        Sorted.
    values : ndarray of shape (configurations, seeds)
        NaN where a run diverged or is missing.
    """

    keys: list[tuple[str, str, str]]
    seeds: list[int]
    values: np.ndarray

    @classmethod
    def read(cls, runs: pd.DataFrame, outcome: str) -> "OutcomeGrid":
        """Arrange a column of runs.csv, in the unit of `outcome_of`.

        Raises
        ------
        NotTested
            If the column is missing or empty.
        """
        outcomes = outcome_of(runs, outcome)
        if "status" in runs:
            outcomes = np.where(runs["status"] == "diverged", np.nan, outcomes)
        rows = list(zip(*(runs[column].tolist() for column in COLUMNS), strict=True))
        keys = {key: place for place, key in enumerate(dict.fromkeys(rows))}
        seeds = {seed: place for place, seed in enumerate(sorted(set(runs["seed"].tolist())))}
        values = np.full((len(keys), len(seeds)), np.nan)
        values[[keys[row] for row in rows], [seeds[seed] for seed in runs["seed"].tolist()]] = outcomes
        return cls(list(keys), list(seeds), values)

    def minus(self, other: "OutcomeGrid | float") -> "OutcomeGrid":
        """Subtract a number, or another column of the same runs."""
        subtracted = other.values if isinstance(other, OutcomeGrid) else other
        return OutcomeGrid(self.keys, self.seeds, self.values - subtracted)

    def means(self) -> np.ndarray:
        """Return the mean over seeds, of shape (configurations,); NaN where every run diverged."""
        finite = np.isfinite(self.values)
        total = np.where(finite, self.values, 0).sum(axis=1)
        return np.divide(total, finite.sum(axis=1), out=np.full(len(total), np.nan), where=finite.any(axis=1))

    def select(self, selection: Selection) -> dict[str, list[int]]:
        """Return the rows of a selection by budget, for the budgets that have every combination.

        Raises
        ------
        NotTested
            If a value or pattern matches no run, or no budget has every combination.
        """
        selection = with_default_probe(selection)
        rows = range(len(self.keys))
        for column, patterns in selection.items():
            part = COLUMNS.index(column)
            hits = {value: [fnmatchcase(value, p) for p in patterns] for value in {key[part] for key in self.keys}}
            for place, pattern in enumerate(patterns):
                if not any(matches[place] for matches in hits.values()):
                    raise NotTested(f"no run with {column} {pattern}")
            rows = [row for row in rows if any(hits[self.keys[row][part]])]
        by_budget: dict[str, list[int]] = {}
        for row in rows:
            by_budget.setdefault(self.keys[row][0], []).append(row)
        members = len({self.keys[row][1:] for row in rows})
        complete = {budget: rows for budget, rows in by_budget.items() if len(rows) == members}
        if not complete:
            raise NotTested("no budget has all runs of " + " with ".join(", ".join(v) for v in selection.values()))
        return complete

    def curve(self, selection: Selection) -> np.ndarray:
        """Return the rows of a selection over all its budgets."""
        return np.array([row for rows in self.select(selection).values() for row in rows])


@dataclass(frozen=True)
class Contrast:
    """Hold a contrast for each budget and seed.

    Parameters
    ----------
    budgets : list of str
        Budgets that all arms have.
    values : ndarray of shape (budgets, seeds)
        NaN where a run of any arm diverged.
    """

    budgets: list[str]
    values: np.ndarray


def contrast(
    runs: pd.DataFrame,
    terms: list[SignedArm],
    outcome: str,
    *,
    reference: float | str = 0.0,
    matched: str | None = None,
) -> Contrast:
    """Sum signed differences between arms, in the budgets that all arms have.

    One term is a difference, two terms with opposite signs a difference of differences, and so on. An arm with several
    architectures or probes is their mean: they are fixed, and the answer is about them only.

    Parameters
    ----------
    runs : DataFrame
        As in runs.csv.
    terms : list of (sign, plus, minus)
        `minus` may be None: the outcome of `plus` is then compared with `reference`.
    outcome : str
        A column of runs.csv.
    reference : float or str
        A number, or the column with the null value of each run; subtracted from the outcome.
    matched : str or None
        A column such as parameters_body that must be equal within 5 % in all arms of a budget.

    Raises
    ------
    NotTested
        If a run of the contrast is missing, or the arms are not matched.
    """
    grid = OutcomeGrid.read(runs, outcome)
    grid = grid.minus(OutcomeGrid.read(runs, reference) if isinstance(reference, str) else reference)
    arms = [
        (sign, grid.select(selection))
        for outer, plus, minus in terms
        for sign, selection in ((outer, plus), (-outer, minus))
        if selection
    ]
    budgets = [budget for budget in arms[0][1] if all(budget in rows for _, rows in arms)]
    if not budgets:
        raise NotTested("the arms have no budget in common")
    if matched is not None:
        _refuse_unmatched(OutcomeGrid.read(runs, matched), [rows for _, rows in arms], budgets, matched)
    values = [sum(sign * grid.values[rows[budget]].mean(axis=0) for sign, rows in arms) for budget in budgets]
    return Contrast(budgets, np.array(values))


def contrast_across_budgets(
    runs: pd.DataFrame, terms: list[SignedArm], outcome: str, *, matched: str | None = None
) -> Contrast:
    """Sum signed differences between arms, each the mean over the budgets of its own term.

    For terms that name different budgets, such as a gap at one size minus the gap at another. `contrast` takes the
    same budgets for all. Parameters and errors are those of `contrast`.

    Returns
    -------
    Contrast
        With a single row, which is named after all budgets.
    """
    differences = [contrast(runs, [term], outcome, matched=matched) for term in terms]
    budgets = dict.fromkeys(budget for difference in differences for budget in difference.budgets)
    values = np.sum([difference.values.mean(axis=0) for difference in differences], axis=0)
    return Contrast([" and ".join(budgets)], values[None])


def over_budgets(differences: Contrast) -> np.ndarray:
    """Average over budgets to one value per seed.

    The mean of each budget is subtracted first and the mean over budgets added back. A seed whose smallest network
    diverged is then averaged over its other budgets without looking better for it.

    Returns
    -------
    ndarray of shape (seeds,)
        Without the seeds that have no value at all.

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

    ``test_error`` and the like are 100 minus the accuracy.

    Raises
    ------
    NotTested
        If runs.csv has no such column, or it is empty.
    """
    column = outcome.removesuffix("_error") + "_accuracy" if outcome.endswith("_error") else outcome
    values = runs[column].to_numpy(dtype=float) if column in runs else np.array([])
    if not np.isfinite(values).any():
        raise NotTested(f"no run has {column}")
    if column.endswith("_accuracy"):
        values = 100 * values
    return 100 - values if outcome.endswith("_error") else values


def unit_of(outcome: str) -> str:
    """Return the unit of an outcome as printed."""
    if outcome.endswith(("_accuracy", "_error")):
        return "points"
    if outcome.startswith("true_"):
        return f"true {unit_of(outcome.removeprefix('true_'))}"
    names = {
        "r_projection": "r",
        "dimensionality_projection": "dimensionality",
        "forced_projection": "dimensionality",
        "false_positives": "false positives",
    }
    return names.get(outcome, outcome.split("_")[0])


def with_default_probe(selection: Selection) -> Selection:
    """Add the probe ``none``, the block's own activation, to a selection that names no probe."""
    return {"probe": ["none"]} | selection


def selected(runs: pd.DataFrame, selections: Iterable[Selection]) -> np.ndarray:
    """Return whether any of the selections matches a run, of shape (runs,)."""
    matched = np.zeros(len(runs), dtype=bool)
    for selection in selections:
        matches = np.ones(len(runs), dtype=bool)
        for column, patterns in with_default_probe(selection).items():
            matches &= np.array([any(fnmatchcase(value, p) for p in patterns) for value in runs[column]], dtype=bool)
        matched |= matches
    return matched


@dataclass(frozen=True)
class RunCount:
    """Count the runs of an arm, or of all arms of a test.

    Parameters
    ----------
    name : str
        The arm, or all of them, as printed.
    runs, diverged, untrained : int
        How many there are, and how many of them have one of these statuses.
    """

    name: str
    runs: int
    diverged: int
    untrained: int

    @property
    def is_comparable(self) -> bool:
        """Whether at most a tenth of the runs (`MOST_FAILED`) diverged or are untrained."""
        return self.diverged + self.untrained <= MOST_FAILED * self.runs

    def failures(self) -> str:
        """Describe those that failed: ``of 20 runs 2 diverged and 3 are untrained``; empty if none did."""
        parts = [f"{self.diverged} diverged"] if self.diverged else []
        parts += [f"{self.untrained} {'are' if self.untrained > 1 else 'is'} untrained"] if self.untrained else []
        return f"of {self.runs} runs {' and '.join(parts)}" if parts else ""


def count_runs(runs: pd.DataFrame, selections: Iterable[Selection], without: Iterable[str] = ()) -> RunCount:
    """Count the runs that any of the selections matches, as one arm.

    Parameters
    ----------
    runs : DataFrame
        As in runs.csv; without a column ``status`` no run failed.
    selections : iterable of mappings
        As in the arms of a test.
    without : iterable of str
        Patterns of architectures that are not counted.
    """
    selections = list(selections)
    matched = selected(runs, selections)
    for pattern in without:
        matched &= ~np.array([fnmatchcase(name, pattern) for name in runs["architecture"]], dtype=bool)
    return _counted(" and ".join(map(_named, selections)), runs[matched])


def count_arms(runs: pd.DataFrame, selections: Iterable[Selection]) -> list[RunCount]:
    """Count the runs of each architecture with each probe that any of the selections matches, in order.

    Parameters are those of `count_runs`.
    """
    return [
        _counted(_named({"architecture": [architecture], "probe": [probe]}), of_arm)
        for architecture, probe, of_arm in _arms(runs, selections)
    ]


def failed_architectures(runs: pd.DataFrame, selections: Iterable[Selection]) -> set[str]:
    """Return the architectures that, with a selected probe, have too many runs that diverged or are untrained."""
    return {name for name, _, of_arm in _arms(runs, selections) if not _counted(name, of_arm).is_comparable}


def _arms(runs: pd.DataFrame, selections: Iterable[Selection]) -> list[tuple[str, str, pd.DataFrame]]:
    """Return architecture, probe and runs of each arm, in the order of the runs."""
    selections = list(selections)
    if not selections:  # counted ranks have neither
        return []
    grouped = runs[selected(runs, selections)].groupby(["architecture", "probe"], sort=False)
    return [(architecture, probe, of_arm) for (architecture, probe), of_arm in grouped]


def _counted(name: str, runs: pd.DataFrame) -> RunCount:
    status = runs["status"] if "status" in runs else pd.Series("finished", index=runs.index)
    return RunCount(name, len(runs), int(status.eq("diverged").sum()), int(status.eq("untrained").sum()))


def _named(selection: Selection) -> str:
    """Name an arm: ``mobilenetv1, mobilenetv2 with solu_s1``."""
    parts = [", ".join(selection["architecture"]) if selection.get("architecture", ["*"]) != ["*"] else "all networks"]
    probes = [name for name in selection.get("probe", []) if name != "none"]
    parts += [f"with {', '.join(probes)}"] if probes else []
    parts += [f"at {', '.join(selection['budget'])}"] if selection.get("budget", ["*"]) != ["*"] else []
    return " ".join(parts)


def _refuse_unmatched(grid: OutcomeGrid, arms: list[dict[str, list[int]]], budgets: list[str], column: str) -> None:
    sizes = grid.means()
    difference = 0.0
    for budget in budgets:
        of_budget = np.concatenate([sizes[rows[budget]] for rows in arms])
        difference = max(difference, of_budget.max() / of_budget.min() - 1)
    if difference > MATCHED:
        raise NotTested(f"the networks of a budget differ by up to {100 * difference:.0f} % in {column}")
