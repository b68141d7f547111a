"""Slopes within and between configurations: two questions that a regression over pooled runs confuses."""

import warnings
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import stats
from scipy.special import expit, logit
from statsmodels.regression.mixed_linear_model import MixedLM

from lowparam.claims.associations import Configurations, p_values, permuted, resampled
from lowparam.claims.base import Arm, Association
from lowparam.claims.finding import Finding, NotTested
from lowparam.claims.statistics import CONFIDENCE, power_from_error

__all__ = ["Slopes", "mixed_model", "mixed_note"]

QUESTION = "the same as a slope, between configurations or within them over seeds, with a mixed model alongside"
DATA = "runs"
NEEDS = ("equal_size", "five_architectures")
FIGURE = "interference_accuracy"

CLIP = logit(0.9995)  # an accuracy of 1 on a few hundred images is not an infinite logit
TAIL = (1 - CONFIDENCE) / 2


class Slopes(Association):
    """Test the slope of logit accuracy on a measure, at equal budget (Mundlak 1978).

    ``between``: do configurations with more of the measure do better? The p-value comes from a permutation test that
    reassigns measures between architectures, the interval from the hierarchical bootstrap, and a verdict needs both
    (`lowparam.claims.associations.p_values`).
    ``within``: do the seeds of one configuration with more of it do better? Effects that a seed has on all
    configurations are subtracted too, because runs of one seed share the order of their data.
    The two can differ in sign. The measure is in standard deviations over configurations. The note gives a mixed model
    with both slopes and random effects for architecture and configuration.
    """

    kind: Literal["slopes"]
    level: Literal["between", "within"] = Field(description="between configurations, or within them over seeds")
    measure: str = Field(description="column whose association with the outcome is tested")
    among: Arm = Field({"architecture": ["*"]}, description="runs that are used")
    without: list[str] = Field([], description="patterns of architectures that are variants of others and left out")

    def find(self, runs: pd.DataFrame) -> Finding:
        data = Configurations.read(runs, self.among, self.without, self.measure, self.outcome)
        data = Configurations(data.x, _logit(data.y), data.names, data.left_out)
        scale = _centred(data.means()[0]).std()
        if not scale > 0:
            raise NotTested(f"{self.measure} is the same in all configurations")
        finding = self._between(data, scale) if self.level == "between" else self._within(data, scale)
        return replace(finding, note=f"{mixed_note(data, scale)} {data.described_left_out(self.measure)}".strip())

    def _between(self, data: Configurations, scale: float) -> Finding:
        x, y = (_centred(mean) for mean in data.means())
        orders = permuted(len(data.names))
        products = x @ y.T  # measures of every architecture with accuracies of every architecture
        shuffled = scale * products[orders, np.arange(len(x))].sum(axis=1) / (x**2).sum()
        observed = shuffled[0]
        resampled_x, resampled_y = (_centred(mean) for mean in resampled(data))
        with np.errstate(invalid="ignore", divide="ignore"):
            resamples = scale * (resampled_x * resampled_y).sum(axis=(1, 2)) / (resampled_x**2).sum(axis=(1, 2))
        low, high = np.nanquantile(resamples, [TAIL, 1 - TAIL])
        p_for, p_against = p_values(shuffled, resamples, self.direction)
        count = len(data.names)
        return Finding(
            float(observed),
            float(low),
            float(high),
            p_for,
            p_against,
            unit="logit per sd",
            n=count,
            replicates="architectures",
            power_at=lambda alpha: power_from_error(float(observed), float(shuffled.std()), count, alpha),
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
            unit="logit per sd",
            n=seeds,
            power_at=lambda alpha: power_from_error(float(slope), float(error), seeds, alpha),
        )


class DidNotConverge(Exception):
    """A fit ended before it reached an optimum."""


def mixed_model(data: Configurations, scale: float) -> pd.DataFrame:
    """Fit y ~ bin + z_within + z_between + (1 | architecture) + (1 | architecture:bin).

    Bins take the place of log parameters, without assuming a shape.

    Returns
    -------
    DataFrame
        Index ``within`` and ``between``, columns ``slope``, ``low`` and ``high`` (Wald interval, for comparison only:
        it is too narrow with few architectures).

    Raises
    ------
    DidNotConverge
        If the fit ended before it reached an optimum.
    """
    mean = np.nanmean(data.x, axis=2, keepdims=True)
    parts = {"within": (data.x - mean) / scale, "between": np.broadcast_to(mean / scale, data.x.shape)}
    architecture, size, _ = np.indices(data.x.shape)
    frame = pd.DataFrame({key: values.ravel() for key, values in parts.items()})
    frame = frame.assign(y=data.y.ravel(), architecture=architecture.ravel(), bin=size.ravel()).dropna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance at zero is a valid answer
        model = MixedLM.from_formula(
            "y ~ 0 + C(bin) + within + between",
            groups="architecture",
            vc_formula={"configuration": "0 + C(bin)"},
            data=frame,
        )
        fit = model.fit(reml=True)
    if not fit.converged:
        raise DidNotConverge
    interval = fit.conf_int(alpha=1 - CONFIDENCE)
    keys = ["within", "between"]
    return pd.DataFrame({"slope": fit.params[keys], "low": interval.loc[keys, 0], "high": interval.loc[keys, 1]})


def mixed_note(data: Configurations, scale: float) -> str:
    """Fit the mixed model and describe it in a sentence."""
    try:
        fitted = mixed_model(data, scale)
    except DidNotConverge:
        return "The mixed model did not converge on these runs, so its numbers are not given."
    except (np.linalg.LinAlgError, ValueError):
        return "The mixed model has no solution on these runs."
    if fitted.isna().any(axis=None):
        return "The mixed model has no solution on these runs."
    parts = [f"{name} {row.slope:+.2f} [{row.low:+.2f}, {row.high:+.2f}]" for name, row in fitted.iterrows()]
    return f"Mixed model, logit per sd: {', '.join(parts)}."


def _within_both(values: np.ndarray, rounds: int = 20) -> np.ndarray:
    """Subtract the means of configurations and of seeds, repeatedly, because diverged runs leave gaps."""
    for _ in range(rounds if np.isnan(values).any() else 1):
        values = values - np.nanmean(values, axis=2, keepdims=True)
        values = values - np.nanmean(values, axis=(0, 1), keepdims=True)
    return values


def _logit(percent: np.ndarray) -> np.ndarray:
    return logit(np.clip(percent / 100, expit(-CLIP), expit(CLIP)))


def _centred(means: np.ndarray) -> np.ndarray:
    """Subtract the mean over architectures from every bin, which removes the effect of size."""
    return means - means.mean(axis=-2, keepdims=True)
