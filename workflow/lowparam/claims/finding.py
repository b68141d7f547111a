"""What a test found, and the verdict that follows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lowparam.claims.statistics import CONFIDENCE, mean_interval, one_sided, seeds_needed, smallest_effect

__all__ = [
    "CONTRADICTED",
    "INCONCLUSIVE",
    "NOT_TESTED",
    "SUPPORTED",
    "Finding",
    "NotTested",
    "from_seeds",
    "verdict",
    "weakest",
]

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED = "supported", "contradicted", "inconclusive", "not tested"

MOST_DIVERGED = 0.1  # of the runs that a test needs


class NotTested(Exception):
    """The runs that a test needs are not there; the message says which."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one test on one experiment.

    Parameters
    ----------
    estimate, low, high : float
        The effect with its 95 % interval, in `unit`.
    p_for : float
        p of the hypothesis that the prediction is wrong; small supports the claim.
    p_against : float
        p of the hypothesis that the prediction is right; small contradicts it.
    unit : str
        Of the estimate.
    n : int
        Number of replicates.
    replicates : str
        What n counts: seeds or architectures.
    spread : float
        Standard deviation of a replicate, in `unit`; NaN where power is given otherwise.
    distance : float
        How far the estimate is from the margin, in `unit`.
    power_unit : str
        Unit of spread and distance, where it is not that of the estimate.
    power_at : callable or None
        Gives what `power` gives, from a level; None computes it from `spread` and `distance`.
    runs : int
        Number of runs that were used.
    diverged : int
        How many of them diverged.
    note : str
        What else a reader should know, in a sentence.
    """

    estimate: float
    low: float
    high: float
    p_for: float
    p_against: float
    unit: str
    n: int
    replicates: str = "seeds"
    spread: float = np.nan
    distance: float = np.nan
    power_unit: str = ""
    power_at: Callable[[float], tuple[float, float]] | None = None
    runs: int = 0
    diverged: int = 0
    note: str = ""

    @property
    def p(self) -> float:
        """Two-sided p: both directions were open."""
        return float(min(1.0, 2 * min(self.p_for, self.p_against)))

    @property
    def favours(self) -> bool:
        """Whether the evidence, strong or weak, is on the side of the claim."""
        return self.p_for <= self.p_against

    @property
    def too_many_diverged(self) -> bool:
        return self.diverged > MOST_DIVERGED * self.runs

    def power(self, alpha: float) -> tuple[float, float]:
        """Smallest effect that could have been seen at a level, and the replicates that would settle the question."""
        if self.power_at is not None:
            return self.power_at(alpha)
        return smallest_effect(self.spread, self.n, alpha), seeds_needed(self.spread, self.distance, alpha)


def verdict(finding: Finding, p: float) -> str:
    """Turn a finding and its corrected p into a word.

    A definite verdict needs a p below 5 % after correction and no more than a tenth of the runs diverged.
    """
    if finding.too_many_diverged or not p <= 1 - CONFIDENCE:
        return INCONCLUSIVE
    return SUPPORTED if finding.favours else CONTRADICTED


def from_seeds(values: np.ndarray, *, direction: str, margin: float, unit: str, note: str = "") -> Finding:
    """Judge "the mean lies beyond the margin in the predicted direction" by Student's t.

    Parameters
    ----------
    values : ndarray of shape (seeds,)
        The effect, one value a seed, at least 2.
    direction : {"greater", "less"}
        Where the claim sees the effect.
    margin : float
        Smallest effect that the claim means, counted in the direction of the claim; negative for "not much worse".
    """
    sign = 1 if direction == "greater" else -1
    estimate = mean_interval(values)
    if np.ptp(values) == 0:
        note = " ".join([note, "All seeds agree to the last digit, so there is no spread to judge by."]).strip()
    return Finding(
        estimate.mean,
        estimate.low,
        estimate.high,
        p_for=one_sided(sign * values, margin),
        p_against=one_sided(-sign * values, -margin),
        unit=unit,
        n=estimate.n,
        spread=float(np.std(values, ddof=1)),
        distance=sign * estimate.mean - margin,
        note=note,
    )


def weakest(findings: dict[str, Finding], relation: str) -> Finding:
    """Join findings all of which the claim needs, and show the one it stands worst in.

    The claim holds if all hold, so its p is the largest (intersection-union test, no correction needed); it is
    wrong if any is wrong, which is several chances to err and is corrected for.
    """
    name = max(findings, key=lambda key: findings[key].p_for)
    worst = findings[name]
    if len(findings) == 1:
        return worst
    against = min(1.0, len(findings) * min(finding.p_against for finding in findings.values()))
    note = f"Must hold {relation} each of {', '.join(findings)}; shown is the weakest, {relation} {name}. {worst.note}"
    return replace(worst, p_against=against, note=note.strip())
