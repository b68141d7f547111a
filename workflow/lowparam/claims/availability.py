"""Which tests an experiment has runs for, from claims.yaml and params.yaml alone.

Light, as the workflow reads it at every start.
"""

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from lowparam.files import read_yaml
from lowparam.params import Experiment

__all__ = ["REGISTRY", "arms", "planned"]

REGISTRY = Path(__file__).parents[2] / "claims.yaml"
FEWEST_SIZES = 3  # of a curve
FEWEST_ARCHITECTURES = 5  # of an association


def planned(experiment: Experiment) -> list[tuple[str, dict[str, Any]]]:
    """Claim and test, as written in claims.yaml, of every test whose runs are in the experiment's grid.

    Raises
    ------
    LowparamError
        If claims.yaml is missing or is not valid YAML.
    """
    return [(claim, test) for claim, test in _tests() if _has_runs(test, experiment)]


def arms(test: dict[str, Any]) -> list[dict[str, list[str]]]:
    """Every selection of runs that a test needs."""
    sides = [test[key] for key in ("plus", "minus", "among") if key in test]
    sides += [change[key] for key in ("first", "second") for change in test.get(key, []) for key in ("plus", "minus")]
    words = test.get("doses") or [""]
    return [
        {column: [pattern.replace("{dose}", word) for pattern in patterns] for column, patterns in side.items()}
        for side in sides
        for word in words
    ]


@cache
def _tests() -> list[tuple[str, dict[str, Any]]]:
    claims = read_yaml(REGISTRY, missing="it comes with lowparam")["claims"]
    return [(claim["id"], test) for claim in claims for test in claim.get("tests", [])]


def _has_runs(test: dict[str, Any], experiment: Experiment) -> bool:
    variants = [""] if test.get("best_variant") else experiment.variants or [""]
    labels = [f"{name}@{v}" if v else name for name in experiment.architectures for v in variants]
    if test["kind"] == "numerical_rank" or (test.get("best_variant") and not experiment.variants):
        return False
    if test["kind"] in ("rank", "slopes"):
        units = [name for name in labels if not _matches(name, [*test.get("without", []), "*@*"])]
        equal = experiment.mode == "controlled" and experiment.counting == "total"
        return equal and "none" in experiment.probes and len(units) >= FEWEST_ARCHITECTURES
    for arm in arms(test):
        if not set(arm.get("probe", ["none"])) <= set(experiment.probes):
            return False
        found = [[name for name in labels if fnmatchcase(name, pattern)] for pattern in arm["architecture"]]
        if not all(found):
            return False
        curve = test["kind"] in ("crossing", "exponent") or (test["kind"] == "dose" and "doses" not in test)
        if curve and max(len(experiment.sizes), *map(len, found)) < FEWEST_SIZES:
            return False
    return True


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
