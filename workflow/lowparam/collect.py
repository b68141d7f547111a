"""From the folders of the runs to one table with a row a run."""

from pathlib import Path
from typing import Any

import pandas as pd

from lowparam import paths
from lowparam.errors import LowparamError
from lowparam.files import atomic, read_csv, read_json, write_json
from lowparam.interference.summary import summary
from lowparam.params import Params, Run, format_size, run_spec, without_defaults
from lowparam.runs import choice

__all__ = ["collect", "summarise"]


def collect(params: Params, experiment: str) -> None:
    """Write ``runs.csv`` and ``metrics.json`` of an experiment.

    ``runs.csv`` has one row a run, in the order of params.yaml; accuracies are shares, memory is in bytes.
    ``metrics.json`` has the mean test accuracy by scale (`summarise`), for ``dvc metrics``.

    Raises
    ------
    LowparamError
        If a run is missing, or was made under other settings than params.yaml now has; nothing is written then.
    """
    runs = pd.DataFrame([_row(params, run) for run in params.runs(experiment)])
    folder = Path("results", experiment)
    with atomic(folder / "runs.csv") as temporary:
        runs.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    write_json(folder / "metrics.json", summarise(runs))


def summarise(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the numbers of runs, and the mean test accuracy by scale.

    The mean is None where a seed diverged, as in the tables; runs that are untrained have an accuracy and count.
    """
    scales = runs.groupby(["architecture", "probe", "budget"], sort=False)["test_accuracy"]
    means = scales.agg(lambda accuracies: accuracies.mean(skipna=False))
    counts = {status: int((runs["status"] == status).sum()) for status in ("diverged", "untrained")}
    summarised: dict[str, Any] = {"runs": len(runs), **counts}
    for (architecture, probe, budget), mean in means.items():
        place = summarised.setdefault("test_accuracy", {}).setdefault(f"{architecture}-{probe}", {})
        place[budget] = None if pd.isna(mean) else round(mean, 6)
    return summarised


def _row(params: Params, run: Run) -> dict[str, Any]:
    metrics = read_json(run.folder / "metrics.json")
    wanted = run_spec(params, run, defaults=False, choice=choice(params, run.scale))
    _same(run, without_defaults(metrics["spec"]), wanted)
    profile = read_csv(run.profile)
    deployed = params.experiment(run.scale.experiment).deploy
    return {
        "architecture": run.scale.label,
        "probe": run.scale.probe,
        "budget": format_size(run.scale.budget),
        "seed": run.seed,
        "status": metrics["status"],
        **{f"parameters_{part}": count for part, count in metrics["parameters"].items()},
        "macs": metrics["macs"],
        "peak_activation_bytes": metrics["peak_activation_bytes"],
        **{f"{part}_accuracy": metrics[part]["accuracy"] for part in ("train", "validation", "test")},
        "train_loss": metrics["train"]["loss"],
        "test_loss": metrics["test"]["loss"],
        **summary(profile),
        **(_eight_bits(read_json(run.deployment)) if deployed else {}),
        "folder": run.folder.as_posix(),
    }


def _eight_bits(measured: dict[str, Any]) -> dict[str, float | None]:
    """Return the test accuracy with 8 bits and what they cost, as shares; none for a run that was not exported."""
    if not measured["runtimes"]:
        return {"int8_accuracy": None, "int8_loss": None}
    accuracy, whole = (measured["runtimes"][to]["accuracy"] for to in ("onnx-int8", "onnx"))
    return {"int8_accuracy": accuracy, "int8_loss": whole - accuracy}


def _same(run: Run, found: Any, wanted: Any, key: str = "") -> None:
    """Compare the specification in a run's metrics with that of params.yaml, and name the first difference."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for part in sorted({*found, *wanted}):
            _same(run, found.get(part), wanted.get(part), f"{key}.{part}" if key else part)
    elif found != wanted:
        raise LowparamError(
            f"{run.folder}/metrics.json was made with {key} = {found!r}, but params.yaml has {wanted!r}; "
            f"{paths.remedy(run.folder)}"
        )
