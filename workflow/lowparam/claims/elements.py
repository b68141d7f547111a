"""Changes that design elements make: a block with a part against the same block without it, paired by seed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lowparam.architectures import split
from lowparam.claims.contrasts import OutcomeGrid
from lowparam.claims.finding import NotTested
from lowparam.claims.statistics import holm, mean_interval, two_sided

__all__ = ["TESTED", "Element", "centred", "changes", "elements", "slope_over_elements", "summarise"]

TESTED = ("r_projection", "chi_stages", "test_accuracy")
"""What an element may change, in the order of tables and figures: columns of runs.csv."""


@dataclass(frozen=True)
class Element:
    """A part on a block, at a budget.

    Parameters
    ----------
    host : str
        The block without it, the host, as an architecture.
    part : str
        The part, or several joined by ``+``.
    budget : str
        As in runs.csv.
    """

    host: str
    part: str
    budget: str

    @property
    def architecture(self) -> str:
        """The block with the part."""
        return f"{self.host}+{self.part}"


def elements(architectures: list[str]) -> list[tuple[str, str]]:
    """Return host and part of every architecture whose host is in the list, in order."""
    found = []
    for name in architectures:
        host, parts = split(name)
        if parts and host in architectures and "@" not in name:
            found.append((host, "+".join(parts)))
    return found


def changes(runs: pd.DataFrame, outcome: str) -> dict[Element, np.ndarray]:
    """Subtract the host's outcome from that of each element, seed by seed.

    Parameters
    ----------
    runs : DataFrame
        As in runs.csv; only runs without a probe are read.
    outcome : str
        A column of it; accuracies are in percentage points.

    Returns
    -------
    dict
        From `Element` to an array of shape (seeds,); NaN where a run of the pair diverged.

    Raises
    ------
    NotTested
        If the column is missing or empty.
    """
    runs = runs[runs["probe"] == "none"]
    grid = OutcomeGrid.read(runs, outcome)
    rows = {(architecture, budget): place for place, (budget, architecture, _) in enumerate(grid.keys)}
    found = {}
    for host, part in elements(list(dict.fromkeys(runs["architecture"]))):
        for budget in dict.fromkeys(budget for budget, *_ in grid.keys):
            element = Element(host, part, budget)
            pair = (element.architecture, budget), (host, budget)
            if all(key in rows for key in pair):
                with_it, without = (grid.values[rows[key]] for key in pair)
                found[element] = with_it - without
    return found


def centred(means: np.ndarray) -> np.ndarray:
    """Subtract the mean over parts (axis -2) for each host; 0 where a part is not on a host."""
    there = np.isfinite(means)
    filled = np.where(there, means, 0)
    counts = there.sum(axis=-2, keepdims=True)
    return np.where(there, filled - filled.sum(axis=-2, keepdims=True) / np.maximum(counts, 1), 0)


def slope_over_elements(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the slope of changes y on changes x, and the standard deviation of the centred x.

    Both have shape (parts, hosts, seeds), NaN where a part is not on a host.
    """
    across, up = centred(x.mean(axis=2)), centred(y.mean(axis=2))
    square = (across**2).sum()
    scale = np.sqrt(square / np.isfinite(x).all(axis=2).sum())
    return float((across * up).sum() / square) if square > 0 else np.nan, float(scale)


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Compute a row for each element and quantity, the elements of a block sorted by the change of r.

    Parameters
    ----------
    runs : DataFrame
        As in runs.csv.

    Returns
    -------
    DataFrame
        Columns host, part, budget, quantity, mean, half_width, n, and p and p_holm: two-sided, and corrected over the
        parts of a block at a budget.
    """
    rows = []
    for quantity in TESTED:
        try:
            found = changes(runs, quantity)
        except NotTested:
            continue
        for element, values in found.items():
            rows.append({**vars(element), "quantity": quantity, **vars(mean_interval(values)), "p": two_sided(values)})
    if not rows:
        return pd.DataFrame(columns=["host", "part", "budget", "quantity", "mean", "half_width", "n", "p", "p_holm"])
    table = pd.DataFrame(rows)
    table["p_holm"] = table.groupby(["host", "budget", "quantity"])["p"].transform(lambda p: holm(p.to_numpy()))
    key = table["mean"].where(table["quantity"] == "r_projection")
    first = key.groupby([table["host"], table["part"], table["budget"]]).transform("max")
    host_order = table["host"].map({host: place for place, host in enumerate(dict.fromkeys(table["host"]))})
    return (
        table.assign(host_order=host_order, first=-first.fillna(-np.inf))
        .sort_values(["host_order", "budget", "first", "part"], kind="stable", ignore_index=True)
        .drop(columns=["host_order", "first"])
    )
