"""Which tests an experiment has runs for, and which figure shows a test, from text alone.

Reads workflow/claims, params.yaml and the literal constants of the kinds, and imports none of them, because the
workflow asks at every start.
"""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from lowparam import registry
from lowparam.files import read_yaml
from lowparam.params import Experiment, format_size

__all__ = [
    "CLAIMS",
    "CONDITIONS",
    "FEWEST_ARCHITECTURES",
    "FEWEST_SIZES",
    "KINDS",
    "arms",
    "figure_of",
    "has_enough_parts",
    "kind_constants",
    "planned",
]

CLAIMS = Path(__file__).parents[2] / "claims"
"""One file per paper."""
KINDS = "claims/kinds"
OF_DEPLOYMENT = "int8_"
"""How columns of runs.csv begin that only experiments with ``deploy`` have."""
OF_MEASURES = {"features_*": "known_outputs", "false_positives": "known_outputs", "true_*": "true_features"}
"""Columns of runs.csv that only experiments have whose ``profile`` names the measure; patterns."""
FEWEST_SIZES = 3
"""Of a curve."""
FEWEST_ARCHITECTURES = 5
"""Of an association: four have 24 orders, too few for a p-value below 5 % on two sides."""

Test = Mapping[str, Any]  # as written in workflow/claims


def planned(experiment: Experiment) -> list[tuple[str, dict[str, Any]]]:
    """Return claim and test, as written in workflow/claims, of every test that the experiment has the runs for.

    Raises
    ------
    LowparamError
        If a file is not valid YAML, or a test has an unknown kind.
    """
    return [(claim, test) for claim, test in _tests(CLAIMS) if _has_runs(test, experiment)]


def arms(test: Test) -> list[dict[str, list[str]]]:
    """Return every selection of runs of a test: whatever in it names architectures, with each of its doses."""
    return [
        {column: [pattern.replace("{dose}", word) for pattern in patterns] for column, patterns in arm.items()}
        for arm, doses in _selections(test)
        for word in doses
    ]


def figure_of(test: Test) -> str:
    """Return the name of the figure that shows a test: its own ``figure``, or ``FIGURE`` of its kind."""
    figure = test.get("figure") or kind_constants(test["kind"])["FIGURE"]
    if isinstance(figure, str):
        return figure
    return next(name for pattern, name in figure.items() if fnmatchcase(test["outcome"], pattern))


def kind_constants(kind: str) -> dict[str, Any]:
    """Return the literal constants of a kind of test.

    Raises
    ------
    LowparamError
        If there is no such kind.
    """
    registry.get(kind, dict.fromkeys(registry.entries(KINDS)), "kind of test")  # raises where there is none
    return registry.constants(KINDS, kind)


@cache
def _tests(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    claims = [claim for path in sorted(folder.glob("*.yaml")) for claim in read_yaml(path, missing="")["claims"]]
    return [(claim["id"], test) for claim in claims for test in claim.get("tests", [])]


def _selections(value: Any, doses: Iterable[str] = ("",)) -> Iterator[tuple[dict[str, list[str]], Iterable[str]]]:
    """Walk through a test in the order in which it is written; each selection comes with the words of its doses."""
    if isinstance(value, Mapping):
        if "architecture" in value:
            yield dict(value), doses
        else:
            for part in value.values():
                yield from _selections(part, value.get("doses") or doses)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _selections(part, doses)


def _has_runs(test: Test, experiment: Experiment) -> bool:
    constants = kind_constants(test["kind"])
    if constants["DATA"] != "runs" or not _has_column(test["outcome"], experiment):
        return False
    return all(CONDITIONS[name](test, experiment) for name in constants["NEEDS"])


def _has_column(outcome: str, experiment: Experiment) -> bool:
    measures = [measure for pattern, measure in OF_MEASURES.items() if fnmatchcase(outcome, pattern)]
    deployed = experiment.deploy or not outcome.startswith(OF_DEPLOYMENT)
    return deployed and set(measures) <= set(experiment.profile.measures)


def _parts_have_runs(test: Test, experiment: Experiment) -> bool:
    return all(_has_runs({"outcome": test["outcome"], **part}, experiment) for part in test["parts"].values())


def _arms_have_runs(test: Test, experiment: Experiment) -> bool:
    return all(
        set(arm.get("probe", ["none"])) <= set(experiment.probes)
        and _matched(arm.get("budget", []), [format_size(size) for size in experiment.sizes])
        and _matched(arm["architecture"], _names(experiment))
        for arm in arms(test)
    )


def _matched(patterns: Iterable[str], values: list[str]) -> bool:
    return all(any(fnmatchcase(value, pattern) for value in values) for pattern in patterns)


def _arms_are_curves(test: Test, experiment: Experiment) -> bool:
    """Whether every arm has enough sizes: budgets, or published networks that one pattern matches."""
    names = _names(experiment)
    return all(
        max(
            len(experiment.sizes),
            *(sum(fnmatchcase(name, pattern) for name in names) for pattern in arm["architecture"]),
        )
        >= FEWEST_SIZES
        for arm in arms(test)
    )


def _enough_architectures(test: Test, experiment: Experiment) -> bool:
    patterns = [*test.get("without", []), "*@*"]
    units = [name for name in _names(experiment) if not any(fnmatchcase(name, p) for p in patterns)]
    return "none" in experiment.probes and len(units) >= FEWEST_ARCHITECTURES


def _enough_elements(test: Test, experiment: Experiment) -> bool:
    patterns = test["among"]["architecture"]
    names = [name for name in experiment.architectures if any(fnmatchcase(name, pattern) for pattern in patterns)]
    return has_enough_parts(names, experiment)


def has_enough_parts(names: Iterable[str], experiment: Experiment) -> bool:
    """Return whether at least five parts are among architectures of an experiment, all trained in the same way."""
    parts = {name.partition("+")[2] for name in names} - {""}
    return len(parts) >= FEWEST_ARCHITECTURES and "none" in experiment.probes and not experiment.variants


def _names(experiment: Experiment) -> list[str]:
    """Return the architectures as in runs.csv, with the variant of their recipe."""
    variants = experiment.variants or [""]
    return [f"{name}@{variant}" if variant else name for name in experiment.architectures for variant in variants]


CONDITIONS = {
    "arms": _arms_have_runs,
    "three_sizes": _arms_are_curves,
    "three_sizes_or_doses": lambda test, experiment: "doses" in test or _arms_are_curves(test, experiment),
    "five_architectures": _enough_architectures,
    "five_elements": _enough_elements,
    "parts": _parts_have_runs,
    "equal_size": lambda test, experiment: experiment.mode == "controlled" and experiment.counting == "total",
}
"""What the ``NEEDS`` of a kind may name.

============================  ======================================================================
``arms``                      every architecture and probe of every arm has runs
``three_sizes``               every arm has runs of at least three sizes
``three_sizes_or_doses``      the same, unless the test names doses
``five_architectures``        at least five architectures that are not left out have runs
``five_elements``             at least five parts of those in ``among`` have runs
``parts``                     each of the tests in ``parts`` has what its own kind needs
``equal_size``                the networks of a budget have equal totals (controlled mode)
============================  ======================================================================
"""
