"""What a result may be due to other than the claim: learning rates that differ, and runs that learned little."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lowparam import paths
from lowparam.claims.base import Association, ClaimTest
from lowparam.claims.contrasts import Selection, selected
from lowparam.files import read_json
from lowparam.interference.summary import measure_columns
from lowparam.params import Params

__all__ = ["different_rates", "low_runs", "with_circumstances"]

COLUMNS = ("outcome", "measure", "moved")
"""Keys of a test that name columns of runs.csv."""
FREE_OF_RATES = ("features_", "mean_auc", "false_positives", "forced_")
"""How columns of measures begin that tell how good the outputs are, as accuracy does, or that shapes alone force."""


def with_circumstances(params: Params, name: str, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of an experiment with two more columns, ``learning_rate`` and ``baseline_accuracy``.

    The rate is the one that tuning chose for the arm, and NaN for arms that params.yaml no longer has. The accuracy is
    that of a linear model on test images; experiments on known features, and those without a baseline, have none.
    """
    rates = {}
    for scale in params.scales(name):
        file = paths.tuning(name, scale.family)
        chosen = read_json(file)["chosen"] if params.experiment(name).tune and file.exists() else {}
        rates[scale.label, scale.probe] = params.recipe(scale, chosen).lr
    keys = zip(runs["architecture"], runs["probe"], strict=True)
    runs = runs.assign(learning_rate=[rates.get(key, float("nan")) for key in keys])
    baseline = paths.baseline(name)
    if params.data[params.experiment(name).data].factors or not baseline.exists():
        return runs
    return runs.assign(baseline_accuracy=read_json(baseline)["test"]["accuracy"])


def different_rates(test: ClaimTest, runs: pd.DataFrame) -> str:
    """Return the learning rates of the arms of a test that reads a measure of interference, if they differ.

    Such measures move with the rate: one network can differ from itself by more than from another. Accuracy does too,
    and each arm has the rate that is best for its accuracy. What is compared is arm against arm, architecture by
    architecture where both have the same ones; of an association, all networks, but not of one within configurations.

    Parameters
    ----------
    test : ClaimTest
        The test.
    runs : DataFrame
        As `with_circumstances` returns them; without the column ``learning_rate`` nothing is known.

    Returns
    -------
    str
        For example ``0.02 against 0.18``; empty if the rates are equal, or the test reads no such measure.
    """
    columns = {value for key, value in _items(test.model_dump()) if key in COLUMNS and isinstance(value, str)}
    measures = {name for name in measure_columns(columns) if not name.startswith(FREE_OF_RATES)}
    if "learning_rate" not in runs or not measures or getattr(test, "level", "") == "within":
        return ""
    arms = [_rates(runs, arm) for arm in test.arms()]
    if isinstance(test, Association):
        rates = set().union(*(each for arm in arms for each in arm.values()))
        return _listed(rates) if len(rates) > 1 else ""
    of_arms = list(dict.fromkeys(_listed(set().union(*rates.values())) for rates in arms))
    if len(of_arms) > 1:
        return " against ".join(of_arms)
    exchanged = all(rates.keys() == arms[0].keys() for rates in arms) and any(rates != arms[0] for rates in arms)
    return f"{of_arms[0]}, exchanged between architectures" if exchanged else ""


def low_runs(test: ClaimTest, runs: pd.DataFrame) -> str:
    """Return how many runs of a test are less accurate than a linear model, and of which arms; empty if none is.

    They are above the limit of *untrained*, and can decide a mean all the same.
    """
    if "baseline_accuracy" not in runs:
        return ""
    used = runs[selected(runs, test.arms())]
    low = used[used["test_accuracy"] < used["baseline_accuracy"]]
    if low.empty:
        return ""
    counts = low.groupby(["architecture", "probe", "budget"], sort=False).size()
    arms = [
        f"{count} of {name}{'' if probe == 'none' else f' with {probe}'} at {budget}"
        for (name, probe, budget), count in counts.items()
    ]
    return f"Less accurate than a linear model: {len(low)} of {len(used)} runs ({', '.join(arms)})."


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Walk through a test, with the parts of one that is joint."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield key, part
            yield from _items(part)


def _rates(runs: pd.DataFrame, arm: Selection) -> dict[str, set[float]]:
    """Return the learning rates of each architecture of an arm, of all its variants and probes."""
    known = runs[selected(runs, [arm])].dropna(subset=["learning_rate"])
    return known.groupby(known["architecture"].str.partition("@")[0])["learning_rate"].agg(set).to_dict()


def _listed(rates: set[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in sorted(rates))
