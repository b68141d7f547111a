"""Judge every claim on the runs of one experiment: one row per test, whatever the verdict."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from lowparam.claims.base import ClaimTest
from lowparam.claims.caveats import different_rates, low_runs
from lowparam.claims.contrasts import count_runs
from lowparam.claims.finding import INCONCLUSIVE, NOT_COMPARABLE, NOT_TESTED, Finding, NotTested, verdict
from lowparam.claims.registry import Claim, Registry
from lowparam.claims.statistics import CONFIDENCE, holm

__all__ = ["COLUMNS", "MOST_NEEDED", "Judged", "judge"]

COLUMNS = [
    "experiment",
    "paper",
    "claim",
    "test",
    "primary",
    "kind",
    "verdict",
    "estimate",
    "low",
    "high",
    "unit",
    "p",
    "p_holm",
    "n",
    "replicates",
    "runs",
    "diverged",
    "untrained",
    "shown",
    "rates",
    "smallest_effect",
    "replicates_needed",
    "paper_value",
    "paper_where",
    "about",
    "command",
    "reason",
]
"""Columns of claims.csv."""
MOST_NEEDED = 100
"""Replicates that somebody might still run; a larger number is no advice."""

DATA = {"runs": "trained networks", "ranks": "counted ranks"}


@dataclass(frozen=True)
class Judged:
    """Hold the verdicts on one experiment or study.

    Parameters
    ----------
    rows : DataFrame
        `COLUMNS`, one row per claim and test; a claim without tests has one row with the reason.
    findings : dict of (claim, test) to Finding
        What each test that could be made found, for figures; empty if the rows were read from claims.csv.
    """

    rows: pd.DataFrame
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)


def judge(
    registry: Registry, name: str, runs: pd.DataFrame, *, data: str = "runs", known: Collection[str] | None = None
) -> Judged:
    """Judge all claims on one experiment or study.

    Primary tests are corrected for the number of claims of their paper (Holm); the others, which explain and carry no
    claim, for their number within the claim. Tests without runs count in both, so that leaving runs out does not make
    the correction milder. Power is that at the corrected level.

    Parameters
    ----------
    registry : Registry
        The claims.
    name : str
        Name of the experiment or study.
    runs : DataFrame
        As in runs.csv, with the columns of `with_circumstances` if they are known, or the stacked tables of a study.
    data : str
        What a row is; tests of kinds with another ``DATA`` are not tested.
    known : collection of str or None
        Names of all experiments and studies; a test whose experiment is not among them is marked in its reason.
    """
    rows, findings = [], {}
    for claim in registry.claims:
        for test in claim.tests:
            row = _plain(name, registry.paper_of(claim), claim, test)
            try:
                finding = _find(test, runs, data)
            except NotComparable as error:
                row |= {"verdict": NOT_COMPARABLE, "reason": str(error), **error.counts}
            except NotTested as error:
                reason = f"{error}."
                if known is not None and test.experiment not in known:
                    reason += f" params.yaml has no experiment {test.experiment} yet: add one with these runs."
                row |= {"verdict": NOT_TESTED, "reason": reason, "command": f"snakemake {test.experiment}"}
            else:
                findings[len(rows)] = finding
                row |= {**_numbers(finding), "rates": different_rates(test, runs)}
            rows.append(row)
        if not claim.tests:
            rows.append(
                {
                    "experiment": name,
                    "paper": registry.paper_of(claim),
                    "claim": claim.id,
                    "verdict": NOT_TESTED,
                    "reason": claim.without_test,
                }
            )
    judged = pd.DataFrame(rows, columns=COLUMNS)
    judged["p_holm"], levels = _corrected(registry, judged)
    for place, finding in findings.items():
        word = verdict(finding, judged.loc[place, "p_holm"])
        power = finding.power(levels[place])
        judged.loc[place, "verdict"] = word
        if word != NOT_COMPARABLE:
            judged.loc[place, ["smallest_effect", "replicates_needed"]] = power
        judged.loc[place, "reason"] = _reason(finding, word, power, judged.loc[place, "rates"])
    return Judged(judged, {tuple(judged.loc[place, ["claim", "test"]]): found for place, found in findings.items()})


class NotComparable(Exception):
    """Report that an arm of a test failed so often that nothing is left to estimate."""

    def __init__(self, reason: str, counts: dict[str, int]) -> None:
        super().__init__(reason)
        self.counts = counts


def _find(test: ClaimTest, runs: pd.DataFrame, data: str) -> Finding:
    if test.data != data:
        raise NotTested(f"needs {DATA.get(test.data, test.data)}")
    counted = count_runs(runs, test.arms(), test.left_out)
    failed = [arm for arm in test.counts(runs) if not arm.is_comparable]
    counts = {"runs": counted.runs or len(runs), "diverged": counted.diverged, "untrained": counted.untrained}
    reason = " ".join(f"{arm.name}: {arm.failures()}, more than a tenth." for arm in failed)
    try:
        finding = test.find(runs)
    except NotTested as error:
        if failed:
            raise NotComparable(f"{reason} {_sentence(error)}", counts) from error
        raise
    note = f"{finding.note} {low_runs(test, runs)}".strip()
    return replace(finding, **counts, failed_arm=reason, note=note)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _plain(name: str, paper: str, claim: Claim, test: ClaimTest) -> dict[str, object]:
    return {
        "experiment": name,
        "paper": paper,
        "claim": claim.id,
        "test": test.id,
        "primary": test.primary,
        "kind": test.kind,
        "verdict": "",  # filled in after correction, as is the reason
        "paper_value": test.paper_value,
        "paper_where": test.paper_where,
        "about": test.about,
        "command": f"snakemake {name}",
        "reason": "",
    }


def _numbers(finding: Finding) -> dict[str, object]:
    keys = ("estimate", "low", "high", "unit", "n", "replicates", "p", "runs", "diverged", "untrained", "shown")
    return {key: getattr(finding, key) for key in keys}


def _corrected(registry: Registry, judged: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Correct by Holm over the primary tests of a paper, and over the other tests of a claim.

    Returns
    -------
    p, levels : ndarray of shape (rows,)
        Corrected p-values, and the level at which a test is significant whatever the others of its family give.
    """
    corrected = np.full(len(judged), np.nan)
    levels = np.full(len(judged), np.nan)
    claims = {claim.id: claim for claim in registry.claims}
    question = judged["claim"].map({name: claim.question for name, claim in claims.items()}).astype(bool)
    tested = judged["test"].notna()
    primary = judged["primary"].eq(True)
    families = [
        *[(tested & primary & ~question & judged["paper"].eq(paper)) for paper in registry.papers],
        *[(tested & primary & question & judged["claim"].eq(name)) for name in claims],
        *[(tested & ~primary & judged["claim"].eq(name)) for name in claims],
    ]
    for family in families:
        if family.any():
            corrected[family.to_numpy()] = holm(judged.loc[family, "p"].to_numpy(dtype=float))
            levels[family.to_numpy()] = (1 - CONFIDENCE) / family.sum()
    return corrected, levels


def _reason(finding: Finding, word: str, power: tuple[float, float], rates: str = "") -> str:
    """Describe what a reader needs in addition to the numbers."""
    if finding.failed_arm:
        return f"{finding.failed_arm} {finding.note}".strip()
    parts = [f"Learning rates differ ({rates}), which alone moves the measure."] if rates else []
    parts.append(finding.note)
    if finding.diverged:
        parts.append(f"{finding.diverged} of {finding.runs} runs diverged and are left out.")
    if finding.untrained:
        parts.append(
            f"{finding.untrained} of {finding.runs} runs {'is' if finding.untrained == 1 else 'are'} untrained."
        )
    if word == INCONCLUSIVE:
        smallest, needed = power
        if np.isfinite(smallest):
            size = np.format_float_positional(smallest, precision=2, fractional=False, trim="-")
            parts.append(
                f"With {finding.n} {finding.replicates} and this correction, an effect {size} "
                f"{finding.power_unit or finding.unit} from the margin would be detected 4 times in 5."
            )
        if finding.n < needed <= MOST_NEEDED:
            parts.append(f"If the effect is as estimated, {needed:.0f} {finding.replicates} would settle it.")
        elif needed > MOST_NEEDED:
            parts.append(f"If the effect is as estimated, {MOST_NEEDED} of them would not settle it.")
    return " ".join(part for part in parts if part)
