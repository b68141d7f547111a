"""Scaling exponent: how fast the error falls with size."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from lowparam.claims.base import Arm, Compared, by_architecture
from lowparam.claims.finding import Finding, NotTested, from_seeds
from lowparam.claims.kinds.contrast import Cells, Where

__all__ = ["Exponent", "exponents"]

FEWEST_SIZES = 3


class Exponent(Compared):
    """alpha in error = c size^-alpha, of one arm or of one minus another, with seeds as the unit.

    alpha is fitted by least squares to the logarithms of a seed's runs, so a seed gives one value.
    """

    kind: Literal["exponent"]
    size: str = Field("parameters_total", description="column that says how large a network is")

    def against(self, runs: pd.DataFrame, minus: Arm | None) -> Finding:
        values = self._mean(runs, self.plus)
        if minus is not None:
            values = values - self._mean(runs, minus)
        values = values[np.isfinite(values)]
        if len(values) < 2:
            raise NotTested("fewer than two seeds are left, and one seed has no spread to judge by")
        return from_seeds(values, direction=self.direction, margin=self.margin, unit="exponent")

    def _mean(self, runs: pd.DataFrame, arm: Arm) -> np.ndarray:
        return np.mean(
            [exponents(runs, part, self.outcome, self.size) for part in by_architecture(arm).values()], axis=0
        )


def exponents(runs: pd.DataFrame, where: Where, outcome: str, size: str) -> np.ndarray:
    """Scaling exponent of one curve, a value a seed; NaN where a seed has fewer than three sizes left.

    An error of zero counts as half of the smallest error above zero, the finest that the test images resolve.

    Raises
    ------
    NotTested
        If the curve has fewer than three sizes.
    """
    table = Cells.read(runs, outcome)
    rows = table.curve(where)
    sizes = Cells.read(runs, size).sizes()[rows]
    if len(set(sizes)) < FEWEST_SIZES:
        raise NotTested(f"{', '.join(where['architecture'])} has fewer than {FEWEST_SIZES} sizes")
    values = table.values[rows]
    if (values > 0).any():
        values = np.where(values == 0, values[values > 0].min() / 2, values)
    logs = np.log(values)
    x = np.log(sizes)
    slopes = []
    for seed in range(logs.shape[1]):
        there = np.isfinite(logs[:, seed])
        enough = len(set(x[there])) >= FEWEST_SIZES
        slopes.append(-np.polyfit(x[there], logs[there, seed], 1)[0] if enough else np.nan)
    return np.array(slopes)
