"""Scaling exponent: how fast the error falls with size."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from lowparam.claims.availability import FEWEST_SIZES
from lowparam.claims.base import Arm, Compared, by_architecture
from lowparam.claims.contrasts import OutcomeGrid, Selection
from lowparam.claims.finding import Finding, NotTested, from_seeds

__all__ = ["Exponent", "exponents"]

QUESTION = "does the error fall faster with size?"
DATA = "runs"
NEEDS = ("arms", "three_sizes")
FIGURE = "scaling"


class Exponent(Compared):
    """Test the exponent alpha in error = c size^-alpha, of one arm or of one minus another, with seeds as the unit.

    alpha is fitted by least squares to the logarithms of the runs of a seed, so every seed gives one value.
    """

    kind: Literal["exponent"]
    size: str = Field("parameters_total", description="column with the size of a network")

    def against(self, runs: pd.DataFrame, minus: Arm | None) -> Finding:
        values = self._mean(runs, self.plus)
        if minus is not None:
            values = values - self._mean(runs, minus)
        values = values[np.isfinite(values)]
        if len(values) < 2:
            raise NotTested("fewer than two seeds are left, and one seed has no variation to judge by")
        return from_seeds(values, direction=self.direction, margin=self.margin, unit="exponent")

    def _mean(self, runs: pd.DataFrame, arm: Arm) -> np.ndarray:
        return np.mean(
            [exponents(runs, part, self.outcome, self.size) for part in by_architecture(arm).values()], axis=0
        )


def exponents(runs: pd.DataFrame, selection: Selection, outcome: str, size: str) -> np.ndarray:
    """Fit the scaling exponent of one curve for every seed.

    An error of zero counts as half of the smallest error above zero, the finest that the test images resolve.

    Returns
    -------
    ndarray of shape (seeds,)
        NaN where a seed has fewer than three sizes left.

    Raises
    ------
    NotTested
        If the curve has fewer than three sizes.
    """
    grid = OutcomeGrid.read(runs, outcome)
    rows = grid.curve(selection)
    sizes = OutcomeGrid.read(runs, size).means()[rows]
    if len(set(sizes)) < FEWEST_SIZES:
        raise NotTested(f"{', '.join(selection['architecture'])} has fewer than {FEWEST_SIZES} sizes")
    values = grid.values[rows]
    if (values > 0).any():
        values = np.where(values == 0, values[values > 0].min() / 2, values)
    logs = np.log(values)
    x = np.log(sizes)
    slopes = []
    for seed in range(logs.shape[1]):
        finite = np.isfinite(logs[:, seed])
        enough = len(set(x[finite])) >= FEWEST_SIZES
        slopes.append(-np.polyfit(x[finite], logs[finite, seed], 1)[0] if enough else np.nan)
    return np.array(slopes)
