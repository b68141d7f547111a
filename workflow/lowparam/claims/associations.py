"""Associations between two columns over configurations, with architectures as the unit."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import permutations
from math import factorial
from typing import Literal

import numpy as np
import pandas as pd

from lowparam.claims.availability import FEWEST_ARCHITECTURES
from lowparam.claims.contrasts import MATCHED, OutcomeGrid, Selection, failed_architectures, with_default_probe
from lowparam.claims.finding import NotTested

__all__ = ["Configurations", "p_values", "permuted", "resampled"]

MOST_ORDERS = 5040  # all orders of seven architectures


@dataclass(frozen=True)
class Configurations:
    """Arrange two columns of the same runs by architecture, bin and seed.

    Parameters
    ----------
    x, y : ndarray of shape (architectures, bins, seeds)
        A bin is a budget with a probe. NaN where a run diverged.
    names : list of str
        The architectures.
    left_out : list of str
        Architectures that did not train, lack a bin, or have no x, such as blocks without a projection.
    """

    x: np.ndarray
    y: np.ndarray
    names: list[str]
    left_out: list[str]

    @classmethod
    def read(cls, runs: pd.DataFrame, selection: Selection, without: list[str], x: str, y: str) -> "Configurations":
        """Arrange the runs of a selection, except the architectures that match `without`.

        Raises
        ------
        NotTested
            If fewer than five architectures have all bins, or the networks of a budget differ in size.
        """
        selection = with_default_probe(selection)
        grids = [OutcomeGrid.read(runs, column) for column in (x, y)]
        keys = grids[0].keys
        for part, column in enumerate(("budget", "architecture", "probe")):
            named = [value for value in selection.get(column, ["*"]) if value != "*"]
            for value in named:
                if value not in {key[part] for key in keys}:
                    raise NotTested(f"no run with {column} {value}")
            keys = [key for key in keys if not named or key[part] in named]
        # Variants of a recipe are not architectures of their own.
        keys = [key for key in keys if not any(fnmatchcase(key[1], pattern) for pattern in [*without, "*@*"])]
        architectures = list(dict.fromkeys(key[1] for key in keys))
        if len(architectures) < FEWEST_ARCHITECTURES:
            raise NotTested(f"fewer than {FEWEST_ARCHITECTURES} architectures have runs")
        bins = list(dict.fromkeys((key[0], key[2]) for key in keys))
        if any(budget == "published" for budget, _ in bins):
            raise NotTested("published networks have no budget in common")
        rows = {key: place for place, key in enumerate(grids[0].keys)}
        places = [[rows.get((budget, name, probe), -1) for budget, probe in bins] for name in architectures]
        arrays = [np.vstack([grid.values, np.full(len(grid.seeds), np.nan)])[np.array(places)] for grid in grids]
        complete = np.all([np.isfinite(array).any(axis=2) for array in arrays], axis=(0, 2))
        complete &= ~np.isin(architectures, list(failed_architectures(runs, [selection])))
        if complete.sum() < FEWEST_ARCHITECTURES:
            raise NotTested(f"fewer than {FEWEST_ARCHITECTURES} architectures trained and have all budgets and {x}")
        sizes = OutcomeGrid.read(runs, "parameters_total").means()[np.array(places)[complete]]
        if (sizes.max(axis=0) > (1 + MATCHED) * sizes.min(axis=0)).any():
            raise NotTested("the networks of a budget differ in size")
        both = np.isfinite(arrays[0]) & np.isfinite(arrays[1])
        finite = [np.where(both, array, np.nan)[complete] for array in arrays]
        names = np.array(architectures)
        return cls(finite[0], finite[1], list(names[complete]), list(names[~complete]))

    def described_left_out(self, measure: str) -> str:
        """Say in a sentence what was left out; empty if nothing was."""
        if not self.left_out:
            return ""
        return f"Left out because they did not train, or lack {measure} or a budget: {', '.join(self.left_out)}."

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the means of x and y over seeds, each of shape (architectures, bins)."""
        return np.nanmean(self.x, axis=2), np.nanmean(self.y, axis=2)


@cache
def permuted(count: int, seed: int = 0) -> np.ndarray:
    """Return orders of the architectures, the observed one first: all of them, or `MOST_ORDERS` random ones.

    An architecture keeps its values of all budgets together. Permuting each budget by itself would count an
    architecture as often as it has budgets.

    Returns
    -------
    ndarray of shape (orders, count)
    """
    if factorial(count) <= MOST_ORDERS:
        return np.array(list(permutations(range(count))))
    rng = np.random.default_rng(seed)
    return np.vstack([np.arange(count), rng.permuted(np.tile(np.arange(count), (MOST_ORDERS - 1, 1)), axis=1)])


def resampled(data: Configurations, draws: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Resample architectures, and then seeds within every configuration (hierarchical bootstrap).

    Returns
    -------
    x, y : ndarray of shape (draws, architectures, bins)
        Means over the resampled seeds.
    """
    rng = np.random.default_rng(seed)
    count, bins, seeds = data.x.shape
    rows = rng.integers(count, size=(draws, count))
    picks = rng.integers(seeds, size=(draws, count, bins, seeds))
    place = rows[:, :, None, None], np.arange(bins)[None, None, :, None], picks
    means = []
    for array in (data.x, data.y):
        filled = np.where(np.isfinite(array), array, np.nanmean(array, axis=2, keepdims=True))
        means.append(filled[place].mean(axis=3))
    return means[0], means[1]


def p_values(shuffled: np.ndarray, resamples: np.ndarray, direction: Literal["greater", "less"]) -> tuple[float, float]:
    """Return the p-values for an association of the direction that is claimed, and against it.

    Each is the larger of two: the share of orders with as strong an association, and the share of resamples without
    one of this sign. A few architectures can be in a rare order by the choice of one of them, and then a permutation
    test alone would give a verdict that the interval denies.

    Parameters
    ----------
    shuffled : ndarray
        The association in every order, the observed one first.
    resamples : ndarray
        The association in every resample; NaN where it is not defined.
    direction : {"greater", "less"}
        Whether a positive or a negative association is claimed.
    """
    close = 1e-9 * max(1.0, np.abs(shuffled).max())
    above, below = np.mean(shuffled >= shuffled[0] - close), np.mean(shuffled <= shuffled[0] + close)
    signs = np.sign(resamples[np.isfinite(resamples)])
    positive = float(max(above, np.mean(signs <= 0)))
    negative = float(max(below, np.mean(signs >= 0)))
    return (positive, negative) if direction == "greater" else (negative, positive)
