"""Means over seeds, and differences paired by seed, that tables and figures share."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from lowparam.claims.statistics import mean_interval
from lowparam.interference.summary import measure_columns
from lowparam.params import are_numbers

__all__ = ["GRID", "blank_diverged", "gap_by_seed", "in_order", "mean_by_scale", "rising", "untrained_scales"]

GRID = ["architecture", "probe", "budget"]
"""Columns of runs.csv that name a scale."""


def in_order(values: Iterable[str]) -> list[str]:
    """Return the distinct values in the order of their first occurrence."""
    return list(dict.fromkeys(values))


def rising(values: Iterable[Any]) -> list[Any]:
    """Return the distinct values in rising order if all are numbers, else as in `in_order`."""
    found = in_order(values)
    return sorted(found) if are_numbers(found) else found


def blank_diverged(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs.csv without anything that was measured on a run that diverged.

    Its accuracies are missing anyway. Its weights may be finite, but what they give is no property of a trained
    network, so there is no mean over the seeds of such a scale.
    """
    if "status" not in runs:
        return runs
    measured = [*measure_columns(runs.columns), *runs.filter(regex="_(accuracy|loss)$").columns]
    diverged = runs["status"] == "diverged"
    return runs.assign(**{name: runs[name].astype(float).mask(diverged) for name in measured})


def mean_by_scale(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Compute mean and half-width of the 95 % interval over seeds, one row a scale, in the order of the runs.

    Returns
    -------
    DataFrame
        Columns architecture, probe, budget, quantity, mean, half_width and n.
    """
    rows = []
    for key, group in runs.groupby(GRID, sort=False):
        estimate = mean_interval(group[column])
        rows.append({**dict(zip(GRID, key, strict=True)), "quantity": column, **vars(estimate)})
    return pd.DataFrame(rows)


def untrained_scales(runs: pd.DataFrame) -> set[tuple[str, str, str]]:
    """Return architecture, probe and budget of every scale with an untrained run, whose accuracy is no fair one."""
    if "status" not in runs:
        return set()
    return set(runs.loc[runs["status"] == "untrained", GRID].itertuples(index=False, name=None))


def gap_by_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """Subtract the accuracy of each probed run from that of the run without probe of the same scale and seed.

    Returns
    -------
    DataFrame
        Columns architecture, probe, budget, seed and gap, in percentage points of test accuracy.
    """
    base = runs[runs["probe"] == "none"].set_index(["architecture", "budget", "seed"])["test_accuracy"]
    probed = runs[runs["probe"] != "none"].copy()
    partner = pd.MultiIndex.from_frame(probed[["architecture", "budget", "seed"]])
    probed["gap"] = 100 * (base.reindex(partner).to_numpy() - probed["test_accuracy"].to_numpy())
    return probed[[*GRID, "seed", "gap"]]
