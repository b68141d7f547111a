"""Slopes within and between configurations: two questions that pooled runs mix up."""

import warnings
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import stats
from scipy.special import expit, logit
from statsmodels.regression.mixed_linear_model import MixedLM

from lowparam.claims.associations import Configurations, permuted, resampled
from lowparam.claims.base import Arm, Sided
from lowparam.claims.finding import Finding, NotTested
from lowparam.claims.kinds.contrast import Where
from lowparam.claims.statistics import CONFIDENCE, reach

__all__ = ["Slopes", "mixed_model", "mixed_note"]

CLIP = logit(0.9995)  # an accuracy of 1 on a few hundred images is not an infinite one
TAIL = (1 - CONFIDENCE) / 2


class Slopes(Sided):
    """Slope of logit accuracy on a measure, at equal budget (Mundlak 1978).

    ``between``: do configurations with more of the measure do better? p from giving the measures of whole
    architectures to one another, interval from the hierarchical bootstrap.
    ``within``: do the seeds of one configuration that have more of it do better? What a seed does to all
    configurations alike is taken out too, as runs of one seed share the order of the data.
    The two can differ in sign. The measure is in standard deviations over configurations. A mixed model with both
    slopes and random effects for architecture and configuration stands in the note.
    """

    kind: Literal["slopes"]
    level: Literal["between", "within"] = Field(description="between configurations, or within them over seeds")
    measure: str = Field(description="column that is said to go with the outcome")
    among: Arm = Field({"architecture": ["*"]}, description="runs that are used")
    without: list[str] = Field([], description="patterns of architectures that are variants of others, not units")

    def find(self, runs: pd.DataFrame) -> Finding:
        data = Configurations.read(runs, self.among, self.without, self.measure, self.outcome)
        data = Configurations(data.x, _logit(data.y), data.names, data.left_out)
        scale = _centred(data.means()[0]).std()
        if not scale > 0:
            raise NotTested(f"{self.measure} is the same in all configurations")
        found = self._between(data, scale) if self.level == "between" else self._within(data, scale)
        return Finding(**{**vars(found), "note": mixed_note(data, scale)})

    def arms(self) -> list[Where]:
        return [self.among]

    def _between(self, data: Configurations, scale: float) -> Finding:
        x, y = (_centred(mean) for mean in data.means())
        orders = permuted(len(data.names))
        products = x @ y.T  # of every architecture's measures with every architecture's accuracies
        shuffled = scale * products[orders, np.arange(len(x))].sum(axis=1) / (x**2).sum()
        observed = shuffled[0]
        above, below = np.mean(shuffled >= observed - 1e-12), np.mean(shuffled <= observed + 1e-12)
        drawn_x, drawn_y = (_centred(mean) for mean in resampled(data))
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = scale * (drawn_x * drawn_y).sum(axis=(1, 2)) / (drawn_x**2).sum(axis=(1, 2))
        low, high = np.nanquantile(drawn, [TAIL, 1 - TAIL])
        count = len(data.names)
        greater = self.direction == "greater"
        return Finding(
            float(observed),
            float(low),
            float(high),
            p_for=float(above if greater else below),
            p_against=float(below if greater else above),
            unit="logit a sd",
            n=count,
            replicates="architectures",
            power_at=lambda alpha: _power(float(observed), float(shuffled.std()), count, alpha),
        )

    def _within(self, data: Configurations, scale: float) -> Finding:
        x, y = _within_both(data.x), _within_both(data.y)
        x, y = x[np.isfinite(x)] / scale, y[np.isfinite(y)]
        configurations = data.x.shape[0] * data.x.shape[1]
        free = len(x) - configurations - (data.x.shape[2] - 1) - 1
        if free < 2 or not (x**2).sum() > 0:
            raise NotTested("fewer than two seeds in a configuration")
        slope = (x * y).sum() / (x**2).sum()
        error = np.sqrt(((y - slope * x) ** 2).sum() / free / (x**2).sum())
        half = stats.t.ppf(1 - TAIL, free) * error
        sign = 1 if self.direction == "greater" else -1
        seeds = data.x.shape[2]
        return Finding(
            float(slope),
            float(slope - half),
            float(slope + half),
            p_for=float(stats.t.sf(sign * slope / error, free)),
            p_against=float(stats.t.cdf(sign * slope / error, free)),
            unit="logit a sd",
            n=seeds,
            power_at=lambda alpha: _power(float(slope), float(error), seeds, alpha),
        )


def mixed_model(data: Configurations, scale: float) -> pd.DataFrame:
    """Fit y ~ bin + z_within + z_between + (1 | architecture) + (1 | architecture:bin).

    Bins stand for log parameters without assuming a shape.

    Returns
    -------
    DataFrame
        Index ``within`` and ``between``, columns ``slope``, ``low`` and ``high`` (Wald, for comparison only: with
        few architectures it is too narrow).
    """
    mean = np.nanmean(data.x, axis=2, keepdims=True)
    parts = {"within": (data.x - mean) / scale, "between": np.broadcast_to(mean / scale, data.x.shape)}
    architecture, size, _ = np.indices(data.x.shape)
    frame = pd.DataFrame({key: values.ravel() for key, values in parts.items()})
    frame = frame.assign(y=data.y.ravel(), architecture=architecture.ravel(), bin=size.ravel()).dropna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance at zero is an answer, not a fault
        model = MixedLM.from_formula(
            "y ~ 0 + C(bin) + within + between",
            groups="architecture",
            vc_formula={"configuration": "0 + C(bin)"},
            data=frame,
        )
        fit = model.fit(reml=True)
    interval = fit.conf_int(alpha=1 - CONFIDENCE)
    keys = ["within", "between"]
    return pd.DataFrame({"slope": fit.params[keys], "low": interval.loc[keys, 0], "high": interval.loc[keys, 1]})


def mixed_note(data: Configurations, scale: float) -> str:
    """The mixed model in a sentence; empty where it has no solution."""
    try:
        fitted = mixed_model(data, scale)
    except (np.linalg.LinAlgError, ValueError):
        return "The mixed model has no solution on these runs."
    if fitted.isna().any(axis=None):
        return "The mixed model has no solution on these runs."
    parts = [f"{name} {row.slope:+.2f} [{row.low:+.2f}, {row.high:+.2f}]" for name, row in fitted.iterrows()]
    return f"Mixed model, logit a sd: {', '.join(parts)}."


def _within_both(values: np.ndarray, rounds: int = 20) -> np.ndarray:
    """Take the means of configurations and of seeds out, in turns, as runs that diverged leave gaps."""
    for _ in range(rounds if np.isnan(values).any() else 1):
        values = values - np.nanmean(values, axis=2, keepdims=True)
        values = values - np.nanmean(values, axis=(0, 1), keepdims=True)
    return values


def _power(observed: float, error: float, count: int, alpha: float) -> tuple[float, float]:
    """By the normal distribution: the error falls with the root of the count."""
    needed = np.ceil(count * (reach(alpha) * error / observed) ** 2) if observed else np.inf
    return reach(alpha) * error, float(max(needed, 3))


def _logit(percent: np.ndarray) -> np.ndarray:
    return logit(np.clip(percent / 100, expit(-CLIP), expit(CLIP)))


def _centred(means: np.ndarray) -> np.ndarray:
    """Subtract the mean over architectures from every bin, which takes out the size."""
    return means - means.mean(axis=-2, keepdims=True)
