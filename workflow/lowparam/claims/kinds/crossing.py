"""Crossing point: the size at which one scaling curve overtakes another."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import stats

from lowparam.claims.availability import FEWEST_SIZES
from lowparam.claims.base import Arm, ClaimTest
from lowparam.claims.contrasts import OutcomeGrid, unit_of
from lowparam.claims.finding import Finding, NotTested
from lowparam.claims.statistics import CONFIDENCE, one_sided
from lowparam.params import format_budget

__all__ = ["Crossing", "fieller"]

QUESTION = "does one scaling curve lead at small sizes and lose the lead, and where? (Fieller's interval)"
DATA = "runs"
NEEDS = ("arms", "three_sizes")
FIGURE = "crossing"

FURTHEST = 10  # times the largest network; beyond that, an extrapolated crossing point means nothing


class Crossing(ClaimTest):
    """Test whether the first curve leads at small sizes and loses its lead with size.

    The curves of a seed are interpolated in log size onto common points. Their difference is fitted by a line in log
    size that starts at the smallest common size. The claim needs both a lead there and a falling difference
    (intersection-union test). The estimate is the size at which the mean line is zero, with Fieller's interval.

    ``Finding.data`` has ``sizes`` of shape (k,) and ``lead`` of shape (k, seeds), as `differences` returns them.
    """

    kind: Literal["crossing"]
    plus: Arm = Field(description="the curve that leads at small sizes")
    minus: Arm = Field(description="the curve that overtakes it")
    size: str = Field("parameters_total", description="column with the size of a network")

    def find(self, runs: pd.DataFrame) -> Finding:
        sizes, leads = self.differences(runs)
        lead, slope = _lines(sizes, leads)
        smallest, largest = sizes[0], sizes[-1]
        low, high = fieller(lead, -slope)
        falls = slope.mean() < 0
        crossing = _size(smallest, largest, -lead.mean() / slope.mean()) if falls else np.nan
        unit = unit_of(self.outcome)
        note = (
            f"Sizes {format_budget(round(smallest))} to {format_budget(round(largest))}; lead at the smallest "
            f"{lead.mean():+.2f} {unit}, change per doubling {slope.mean() * np.log(2):+.2f} {unit}."
        )
        p_lead, p_falls = one_sided(lead, 0.0), one_sided(-slope, 0.0)
        # Power is that of the weaker of the two conditions.
        weaker = lead if p_lead >= p_falls else -slope * np.log(2)
        note += f" Power is that of the {'lead' if p_lead >= p_falls else 'change per doubling'}."
        return Finding(
            crossing,
            _size(smallest, largest, low),
            _size(smallest, largest, high),
            p_for=max(p_lead, p_falls),
            p_against=min(1.0, 2 * min(one_sided(-lead, 0.0), one_sided(slope, 0.0))),
            unit="parameters" if self.size.startswith("parameters") else self.size,
            n=len(lead),
            sd=float(weaker.std(ddof=1)),
            distance=float(weaker.mean()),
            power_unit=unit,
            note=note,
            data={"sizes": sizes, "lead": leads},
        )

    def differences(self, runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Compute the lead of the first curve over the second at common sizes.

        Returns
        -------
        sizes : ndarray of shape (k,)
            Increasing, with equal steps of the logarithm from the smallest to the largest common size.
        values : ndarray of shape (k, seeds)
            NaN for a seed with fewer than three sizes.

        Raises
        ------
        NotTested
            If the curves have fewer than three sizes in common.
        """
        curves = [self._curve(runs, arm) for arm in (self.plus, self.minus)]
        low = max(sizes.min() for sizes, _ in curves)
        high = min(sizes.max() for sizes, _ in curves)
        points = min(len(sizes) for sizes, _ in curves)
        if points < FEWEST_SIZES or low >= high:
            raise NotTested(f"the curves have fewer than three sizes in common in {self.size}")
        grid = np.linspace(np.log(low), np.log(high), points)
        leads = []
        for seed in range(curves[0][1].shape[1]):
            ahead, behind = (_interpolate(grid, sizes, values[:, seed]) for sizes, values in curves)
            leads.append(ahead - behind)
        return np.exp(grid), np.array(leads).T

    def _curve(self, runs: pd.DataFrame, arm: Arm) -> tuple[np.ndarray, np.ndarray]:
        """Return sizes in increasing order, and the outcome of shape (sizes, seeds)."""
        grid = OutcomeGrid.read(runs, self.outcome)
        rows = grid.curve(arm)
        sizes = OutcomeGrid.read(runs, self.size).means()[rows]
        order = np.argsort(sizes)
        return sizes[order], grid.values[rows[order]]


def _lines(sizes: np.ndarray, leads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lead at the smallest size and its slope in log size, one of each per seed."""
    leads = leads[:, np.isfinite(leads).all(axis=0)]
    if leads.shape[1] < 2:
        raise NotTested("fewer than two seeds are left, and one seed has no variation to judge by")
    slope, lead = np.polyfit(np.log(sizes / sizes[0]), leads, 1)
    return lead, slope


def _size(smallest: float, largest: float, logs: float) -> float:
    """Return the size that lies `logs` e-folds above the smallest; infinite far beyond the largest."""
    return float(smallest * np.exp(logs)) if logs < np.log(FURTHEST * largest / smallest) else np.inf


def _interpolate(grid: np.ndarray, sizes: np.ndarray, values: np.ndarray) -> np.ndarray:
    finite = np.isfinite(values)
    if finite.sum() < FEWEST_SIZES:
        return np.full_like(grid, np.nan)
    return np.interp(grid, np.log(sizes[finite]), values[finite])


def fieller(numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, float]:
    """Compute the interval of a ratio of two means of paired values, at the level `CONFIDENCE` (Fieller 1954).

    Parameters
    ----------
    numerator, denominator : ndarray of shape (n,)
        One value per seed.

    Returns
    -------
    (low, high)
        Infinite if the denominator is not clearly different from zero: any ratio is then possible.
    """
    n = len(numerator)
    a, b = numerator.mean(), denominator.mean()
    (aa, ab), (_, bb) = np.cov(numerator, denominator) / n
    t = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) ** 2
    square, cross, constant = b**2 - t * bb, a * b - t * ab, a**2 - t * aa
    root = cross**2 - square * constant
    if square <= 0 or root < 0:
        return -np.inf, np.inf
    return float((cross - np.sqrt(root)) / square), float((cross + np.sqrt(root)) / square)
