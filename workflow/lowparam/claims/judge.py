"""Every claim on the runs of every experiment: one row a test, whichever way it falls."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from lowparam.claims.base import Kind
from lowparam.claims.best_variant import best_variants
from lowparam.claims.finding import INCONCLUSIVE, NOT_TESTED, Finding, NotTested, verdict
from lowparam.claims.kinds.contrast import count
from lowparam.claims.registry import Claim, Registry, load_registry
from lowparam.claims.statistics import CONFIDENCE, holm
from lowparam.errors import LowparamError
from lowparam.files import atomic
from lowparam.params import Params

__all__ = ["COLUMNS", "STAR", "judge", "read_runs", "write_claims"]

STAR = "star"  # ranks are counted without images, so they are an experiment of their own

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
    "smallest_effect",
    "replicates_needed",
    "paper_value",
    "paper_where",
    "about",
    "command",
    "reason",
]


def judge(registry: Registry, runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Judge all claims on each experiment by itself.

    Primary tests are corrected for the number of claims of their paper (Holm); the others, which explain and carry no
    claim, for their number within the claim. Tests without runs count in both, so the correction does not become
    milder by leaving runs out. Power is that at the corrected level.

    Parameters
    ----------
    registry : Registry
        The claims.
    runs : mapping of str to DataFrame
        By experiment, as in runs.csv; for `STAR` the counted ranks.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row an experiment, claim and test; a claim without tests has one row with its reason.
    """
    return pd.concat([_judge_one(registry, name, frame) for name, frame in runs.items()], ignore_index=True)


def write_claims(params: Params, experiment: str) -> pd.DataFrame:
    """Judge all claims on one experiment and write ``results/<experiment>/claims.csv``, unrounded."""
    judged = judge(load_registry(), {experiment: read_runs(params, experiment)})
    for name in set(judged["command"].dropna().str.removeprefix("snakemake ")) - {*params.experiments, STAR}:
        unknown = judged["command"] == f"snakemake {name}"
        judged.loc[unknown, "reason"] += f" params.yaml has no experiment {name} yet: add one with these runs."
    with atomic(Path("results", experiment, "claims.csv")) as temporary:
        judged.to_csv(temporary, index=False, lineterminator="\n")
    return judged


def read_runs(params: Params, experiment: str) -> pd.DataFrame:
    """Read what an experiment is judged on.

    Raises
    ------
    LowparamError
        If params.yaml has no such experiment, or it was not collected.
    """
    folder = Path("results", experiment)
    if experiment == STAR:
        tables = {name: folder / f"{name}.csv" for name in ("dimension", "growth")}
        return pd.concat([_read(path, experiment).assign(table=name) for name, path in tables.items()])
    params.experiment(experiment)
    return _read(folder / "runs.csv", experiment)


def _read(path: Path, experiment: str) -> pd.DataFrame:
    if not path.exists():
        raise LowparamError(f"{path} does not exist; run snakemake {experiment}")
    return pd.read_csv(path)


def _judge_one(registry: Registry, experiment: str, runs: pd.DataFrame) -> pd.DataFrame:
    rows, findings = [], {}
    for claim in registry.claims:
        for test in claim.tests:
            row = _plain(experiment, claim, test)
            try:
                found = _find(test, experiment, runs)
            except NotTested as error:
                row |= {"verdict": NOT_TESTED, "reason": f"{error}.", "command": f"snakemake {test.run}"}
            else:
                findings[len(rows)] = found
                row |= _numbers(found)
            rows.append(row)
        if not claim.tests:
            rows.append(
                {
                    "experiment": experiment,
                    "paper": claim.paper,
                    "claim": claim.id,
                    "verdict": NOT_TESTED,
                    "reason": claim.without_test,
                }
            )
    judged = pd.DataFrame(rows, columns=COLUMNS)
    judged["p_holm"], levels = _corrected(registry, judged)
    for place, found in findings.items():
        word = verdict(found, judged.loc[place, "p_holm"])
        power = found.power(levels[place])
        judged.loc[place, "verdict"] = word
        judged.loc[place, ["smallest_effect", "replicates_needed"]] = power
        judged.loc[place, "reason"] = _reason(found, word, power)
    return judged


def _find(test: Kind, experiment: str, runs: pd.DataFrame) -> Finding:
    if not any(fnmatchcase(experiment, pattern) for pattern in test.experiments):
        raise NotTested(f"judged on {', '.join(test.experiments)} only")
    if (test.kind == "numerical_rank") != (experiment == STAR):
        raise NotTested("needs counted ranks" if test.kind == "numerical_rank" else "needs trained networks")
    if test.best_variant:
        runs = best_variants(runs)
    found = test.find(runs)
    used, diverged = count(runs, test.arms()) if test.arms() else (len(runs), 0)
    return Finding(**{**vars(found), "runs": used, "diverged": diverged})


def _plain(experiment: str, claim: Claim, test: Kind) -> dict[str, object]:
    return {
        "experiment": experiment,
        "paper": claim.paper,
        "claim": claim.id,
        "test": test.id,
        "primary": test.primary,
        "kind": test.kind,
        "paper_value": test.paper_value,
        "paper_where": test.paper_where,
        "about": test.about,
        "command": f"snakemake {experiment}",
    }


def _numbers(found: Finding) -> dict[str, object]:
    keys = ("estimate", "low", "high", "unit", "n", "replicates", "p", "runs", "diverged")
    return {key: getattr(found, key) for key in keys}


def _corrected(registry: Registry, judged: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Holm over the primary tests of a paper, and over the other tests of a claim.

    Returns
    -------
    p, levels : ndarray of shape (rows,)
        Corrected p, and the level at which a test is sure to be judged whatever the others of its family give.
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


def _reason(found: Finding, word: str, power: tuple[float, float]) -> str:
    """What a reader needs beside the numbers."""
    parts = [found.note]
    if found.diverged:
        parts.append(f"{found.diverged} of {found.runs} runs diverged and are left out.")
    if found.too_many_diverged:
        parts.append("That is more than a tenth, so no verdict is given.")
    if word == INCONCLUSIVE and not found.too_many_diverged:
        smallest, needed = power
        if np.isfinite(smallest):
            size = np.format_float_positional(smallest, precision=2, fractional=False, trim="-")
            parts.append(
                f"With {found.n} {found.replicates} and this correction, an effect {size} "
                f"{found.power_unit or found.unit} from the margin would be seen 4 times in 5."
            )
        if np.isfinite(needed):
            parts.append(f"If the effect is as estimated, {needed:.0f} {found.replicates} would settle it.")
        elif np.isinf(needed):
            parts.append("If the effect is as estimated, a thousand of them would not settle it.")
    return " ".join(part for part in parts if part)
