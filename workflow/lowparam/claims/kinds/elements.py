"""Slope over design elements: whether what changes a measure of a block also changes its outcome."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from lowparam.claims.associations import MOST_ORDERS, p_values
from lowparam.claims.availability import FEWEST_ARCHITECTURES
from lowparam.claims.base import Arm, Association
from lowparam.claims.contrasts import failed_architectures, selected, unit_of
from lowparam.claims.elements import centred, changes, slope_over_elements
from lowparam.claims.finding import Finding, NotTested
from lowparam.claims.statistics import CONFIDENCE, power_from_error

__all__ = ["Elements"]

QUESTION = "over design elements, does what changes a measure of a block change its outcome?"
DATA = "runs"
NEEDS = ("arms", "equal_size", "five_elements")
FIGURE = "elements_slope"

DRAWS = 1000


class Elements(Association):
    """Test the slope of the change of the outcome on the change of a measure, over parts of blocks.

    A change is that of a block with a part against the same block without it (its host) at equal parameters, paired by
    seed. The means over the elements of a host are subtracted from both, because all of them share the runs of the
    host, and because a part costs parameters. The unit is the part: the p-value comes from a permutation test that
    reassigns changes of the measure between parts of the same hosts, and keeps those of a part on all its hosts
    together; the interval from the hierarchical bootstrap (part, then seed); and a verdict needs both
    (`lowparam.claims.associations.p_values`). The slope is per standard deviation of the measure's changes.

    ``Finding.data`` has ``x`` and ``y`` of shape (parts, hosts, seeds), NaN where a part does not fit a host, and
    ``parts`` and ``hosts``, their names.
    """

    kind: Literal["elements"]
    measure: str = Field(description="column whose change is compared with that of the outcome")
    hosts: Arm = Field(description="the blocks")
    among: Arm = Field(description="the blocks with a part; elements of other blocks are left out")

    def find(self, runs: pd.DataFrame) -> Finding:
        x, y, parts, hosts, left_out = self._read(runs)
        observed, scale = slope_over_elements(x, y)
        if not scale > 0:
            raise NotTested(f"no element changes {self.measure}")
        shuffled = _shuffled(x, y)
        resamples = _resampled(x, y) * scale
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(resamples, [tail, 1 - tail])
        p_for, p_against = p_values(shuffled, resamples, self.direction)
        estimate, error = observed * scale, float(shuffled.std()) * scale
        count = len(parts)
        note = f"{np.isfinite(x).all(axis=2).sum()} elements: {count} parts on {', '.join(hosts)}."
        if left_out:
            note += f" Left out because runs diverged or are untrained: {', '.join(left_out)}."
        return Finding(
            float(estimate),
            float(low),
            float(high),
            p_for,
            p_against,
            unit=f"{unit_of(self.outcome)} per sd",
            n=count,
            replicates="parts",
            power_at=lambda alpha: power_from_error(float(estimate), error, count, alpha),
            note=note,
            data={"x": x, "y": y, "parts": np.array(parts), "hosts": np.array(hosts)},
        )

    def _read(self, runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, list[str], list[str], list[str]]:
        """Return changes of measure and outcome, parts, hosts, and what was left out; budgets count as hosts."""
        failed = failed_architectures(runs, [self.hosts, self.among])
        runs = runs[selected(runs, [self.hosts, self.among])]
        found = changes(runs, self.measure), changes(runs, self.outcome)
        complete = [
            element
            for element in found[0]
            if not {element.host, element.architecture} & failed
            and all(np.isfinite(each[element]).all() for each in found)
        ]
        left_out = [element.architecture for element in found[0] if element not in complete]
        parts = list(dict.fromkeys(element.part for element in complete))
        if len(parts) < FEWEST_ARCHITECTURES:
            raise NotTested(f"fewer than {FEWEST_ARCHITECTURES} elements have all runs and {self.measure}")
        hosts = list(dict.fromkeys((element.host, element.budget) for element in complete))
        arrays = []
        for each in found:
            array = np.full((len(parts), len(hosts), len(next(iter(each.values())))), np.nan)
            for element in complete:
                array[parts.index(element.part), hosts.index((element.host, element.budget))] = each[element]
            arrays.append(array)
        one_budget = len({budget for _, budget in hosts}) == 1
        names = [host if one_budget else f"{host} at {budget}" for host, budget in hosts]
        return arrays[0], arrays[1], parts, names, left_out


def _shuffled(x: np.ndarray, y: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the slopes of all orders that are drawn, the observed one first."""
    rng = np.random.default_rng(seed)
    across, up = centred(x.mean(axis=2)), centred(y.mean(axis=2))
    orders = np.tile(np.arange(len(x)), (MOST_ORDERS, 1))
    _, group = np.unique(np.isfinite(x).all(axis=2), axis=0, return_inverse=True)
    for number in range(group.max() + 1):  # parts that are on the same hosts
        members = np.flatnonzero(group.ravel() == number)
        orders[1:, members] = rng.permuted(np.tile(members, (MOST_ORDERS - 1, 1)), axis=1)
    # Which parts a host has stays the same, so its mean and the sum of squares do too.
    return np.einsum("oph,ph->o", across[orders], up) / (across**2).sum()


def _resampled(x: np.ndarray, y: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the slopes of resampled parts with resampled seeds; the seeds are the same for measure and outcome."""
    rng = np.random.default_rng(seed)
    count, _, seeds = x.shape
    rows = rng.integers(count, size=(DRAWS, count))
    picks = rng.integers(seeds, size=(DRAWS, seeds))
    across, up = (
        centred(array[rows[:, :, None, None], np.arange(x.shape[1])[None, None, :, None], picks[:, None, None]].mean(3))
        for array in (x, y)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return (across * up).sum(axis=(1, 2)) / (across**2).sum(axis=(1, 2))
