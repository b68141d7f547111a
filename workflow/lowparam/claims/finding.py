"""The result of one test, and the verdict that follows from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lowparam.claims.statistics import CONFIDENCE, mean_interval, one_sided, seeds_needed, smallest_effect, spread

__all__ = [
    "CONTRADICTED",
    "INCONCLUSIVE",
    "NOT_COMPARABLE",
    "NOT_TESTED",
    "SUPPORTED",
    "Finding",
    "NotTested",
    "from_seeds",
    "strongest",
    "verdict",
    "weakest",
]

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"
NOT_COMPARABLE, NOT_TESTED = "not comparable", "not tested"


class NotTested(Exception):
    """Report that a test cannot be made on these runs; the message gives the reason."""


@dataclass(frozen=True)
class Finding:
    """Hold the result of one test on one experiment.

    Parameters
    ----------
    estimate, low, high : float
        The effect with its 95 % interval, in `unit`.
    p_for : float
        p-value of the hypothesis that the prediction is wrong; small supports the claim.
    p_against : float
        p-value of the hypothesis that the prediction is right; small contradicts the claim.
    unit : str
        Unit of the estimate.
    n : int
        Number of replicates.
    replicates : str
        What n counts: seeds or architectures.
    sd : float
        Standard deviation of a replicate, in `unit`; NaN if `power_at` is given.
    distance : float
        Distance of the estimate from the margin, in `unit`.
    power_unit : str
        Unit of `sd` and `distance`, if it is not `unit`.
    power_at : callable or None
        Computes from a level what `power` returns; None computes it from `sd` and `distance`.
    runs : int
        Number of runs used.
    diverged, untrained : int
        How many of them diverged, and how many are untrained.
    failed_arm : str
        Which arm has too many of either, and how many; empty if all arms can be compared.
    shown : str
        Which of several findings has the estimate; empty if there is one.
    note : str
        What else a reader should know, in a sentence.
    data : mapping of str to ndarray
        What the figure of the kind draws, so that nothing is computed twice. Each kind documents its own keys.
    """

    estimate: float
    low: float
    high: float
    p_for: float
    p_against: float
    unit: str
    n: int
    replicates: str = "seeds"
    sd: float = np.nan
    distance: float = np.nan
    power_unit: str = ""
    power_at: Callable[[float], tuple[float, float]] | None = None
    runs: int = 0
    diverged: int = 0
    untrained: int = 0
    failed_arm: str = ""
    shown: str = ""
    note: str = ""
    data: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def p(self) -> float:
        """Two-sided p-value: the effect could have gone either way; NaN, as without runs, if an arm failed."""
        if self.failed_arm:
            return float("nan")
        return float(min(1.0, 2 * min(self.p_for, self.p_against)))

    @property
    def favours(self) -> bool:
        """Whether the evidence, strong or weak, is on the side of the claim."""
        return self.p_for <= self.p_against

    def power(self, alpha: float) -> tuple[float, float]:
        """Return the smallest effect detectable at a level, and how many replicates would settle the question."""
        if self.power_at is not None:
            return self.power_at(alpha)
        return smallest_effect(self.sd, self.n, alpha), seeds_needed(self.sd, self.distance, alpha)


def verdict(finding: Finding, p: float) -> str:
    """Return the verdict of a finding with its corrected p-value.

    A definite verdict needs a corrected p-value of at most 5 %, and arms that trained.
    """
    if finding.failed_arm:
        return NOT_COMPARABLE
    if not p <= 1 - CONFIDENCE:
        return INCONCLUSIVE
    return SUPPORTED if finding.favours else CONTRADICTED


def from_seeds(values: np.ndarray, *, direction: str, margin: float, unit: str, note: str = "") -> Finding:
    """Test "the mean lies beyond the margin in the predicted direction" by Student's t.

    Parameters
    ----------
    values : ndarray of shape (seeds,)
        The effect, one value per seed, at least 2.
    direction : {"greater", "less"}
        The direction that the claim predicts.
    margin : float
        Smallest effect that the claim means, in the predicted direction; negative for "not much worse".
    unit : str
        Unit of the values.
    note : str
        Starts the note of the finding.

    Returns
    -------
    Finding
        With the values as ``data["seeds"]``.
    """
    sign = 1 if direction == "greater" else -1
    estimate = mean_interval(values)
    sd = spread(values)
    if sd == 0:
        note = " ".join([note, "All seeds agree to the last digit, so there is no variation to judge by."]).strip()
    return Finding(
        estimate.mean,
        estimate.low,
        estimate.high,
        p_for=one_sided(sign * values, margin),
        p_against=one_sided(-sign * values, -margin),
        unit=unit,
        n=estimate.n,
        sd=sd,
        distance=sign * estimate.mean - margin,
        note=note,
        data={"seeds": np.asarray(values)},
    )


def weakest(findings: dict[str, Finding], relation: str) -> Finding:
    """Combine findings all of which the claim needs; return the weakest of them.

    The claim holds if all of them hold, so its p-value is the largest (intersection-union test, which needs no
    correction). It is wrong if any of them is wrong; that is several chances to err, and is corrected for.
    """
    name = max(findings, key=lambda key: findings[key].p_for)
    worst = findings[name]
    if len(findings) == 1:
        return worst
    against = min(1.0, len(findings) * min(finding.p_against for finding in findings.values()))
    note = f"Must hold {relation} each of {', '.join(findings)}; shown is the weakest, {relation} {name}. {worst.note}"
    shown = f"weakest, {relation} {name}"
    combined = replace(worst, p_against=against, shown=shown, note=note.strip())
    return combined if combined.favours else replace(combined, power_at=_shared(worst, len(findings)))


def strongest(findings: dict[str, Finding]) -> Finding:
    """Combine findings one of which is enough for the claim; return the strongest of them.

    The claim holds if any of them holds; that is several chances to err, and is corrected for. It is wrong if all of
    them are wrong, so that p-value is the largest. The interval is that of the strongest alone, without a correction
    for having been picked.
    """
    name = min(findings, key=lambda key: findings[key].p_for)
    best = findings[name]
    if len(findings) == 1:
        return best
    note = f"Must hold for one of {', '.join(findings)}; shown is the strongest, {name}. {best.note}"
    combined = replace(
        best,
        p_for=min(1.0, len(findings) * best.p_for),
        p_against=max(finding.p_against for finding in findings.values()),
        shown=f"strongest, {name}",
        note=note.strip(),
    )
    return replace(combined, power_at=_shared(best, len(findings))) if combined.favours else combined


def _shared(finding: Finding, count: int) -> Callable[[float], tuple[float, float]]:
    """Return the power of a finding that shares its level with others, as its p-value was multiplied."""
    return lambda alpha: finding.power(alpha / count)
