"""What a run is, and what state it is in: the one answer for training, status, collection, records and the rules.

A run's identity is what determines its numbers: the settings that differ from their defaults, the hash of the prepared
data, the meaning of the code that it goes through (`lowparam.provenance`), and the version of torch. A new setting with
a default, a comment, a rename, or a new block changes no identity.

metrics.json states the full specification. So a run whose settings relied on a default that has changed since is stale.

This module imports neither torch nor pandas, because the Snakefile reads it at every start.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from lowparam import catalogue, files, paths, prepared_data, provenance, studies
from lowparam.errors import LowparamError
from lowparam.files import content_sha256, read_csv, read_json, sha256
from lowparam.interference import measures
from lowparam.params import Params, Run, Scale, format_size, profile_spec, run_spec, without_defaults

__all__ = [
    "FILES",
    "State",
    "baseline_identity",
    "bilinear_identity",
    "choice",
    "code_of_profile",
    "code_of_training",
    "code_of_tuning",
    "collect_identity",
    "deploy_identity",
    "describe_values",
    "find_damage",
    "finished_trials",
    "identity",
    "images_sha256",
    "is_current_choice",
    "is_locked",
    "is_same",
    "is_trained",
    "job_identity",
    "lock_of",
    "made_with",
    "overview_identity",
    "profile_identity",
    "reads_from_disk",
    "report_identity",
    "seal",
    "state",
    "states",
    "torch_version",
    "trial_folder",
    "trial_spec",
    "tuning_check",
    "tuning_identity",
]

FILES = ("model.safetensors", "history.csv", "metrics.json")
"""The files of a run, in the order in which they are published: the last one means that the run is complete."""

State = Literal["finished", "untrained", "diverged", "running", "stale", "missing"]


def seal(found: Mapping[str, Any]) -> dict[str, Any]:
    """Add the hash of all else, so that an edit is found; a number that is not finite becomes None, as JSON has none.

    That is the loss of a network whose output has no value on some image, though its training went on.
    """
    return files.seal({key: _finite(value) for key, value in found.items()})


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def identity(params: Params, run: Run, *, data_sha256: str | None = None) -> dict[str, Any]:
    """Return all that determines a run.

    Parameters
    ----------
    params : Params
        The experiments.
    run : Run
        Which run.
    data_sha256 : str or None
        Hash of the prepared data; None if they are not known, as before they are prepared.

    Returns
    -------
    dict
        ``spec``, the settings without those that equal their defaults, and ``made_with``.
    """
    return _identity(params, run, choice(params, run.scale), data_sha256)


def job_identity(params: Params, scale: Scale) -> list[dict[str, Any]]:
    """Return what determines the runs of a scale, as far as it is known before anything is tuned.

    For the rules: the file of the choice is an input of the training, so another choice is noticed there.
    """
    chosen = {} if params.experiment(scale.experiment).tune is None else None
    return [_identity(params, Run(scale, seed), chosen, None) for seed in params.experiment(scale.experiment).seeds]


def _identity(params: Params, run: Run, chosen: dict[str, Any] | None, data_sha256: str | None) -> dict[str, Any]:
    spec = run_spec(params, run, defaults=False, choice=chosen)
    if chosen is None:  # no run has this specification
        tune = params.experiment(run.scale.experiment).tune
        assert tune is not None
        spec["recipe"] = {**spec["recipe"], **dict.fromkeys(tune.values, "to be tuned")}
    return {"spec": spec, "made_with": made_with(params, run.scale, data_sha256=data_sha256)}


def choice(params: Params, scale: Scale) -> dict[str, Any] | None:
    """Return the recipe values that tuning chose for a scale.

    Returns
    -------
    dict or None
        Empty if the experiment tunes nothing; None if nothing was chosen yet, or by other settings, data or code.
    """
    if params.experiment(scale.experiment).tune is None:
        return {}
    try:
        found = read_json(paths.tuning(scale.experiment, scale.family))
    except LowparamError:
        return None
    wanted = tuning_identity(params, scale, data_sha256=images_sha256(params, scale))
    return found["chosen"] if is_current_choice(found, wanted) else None


def tuning_identity(params: Params, scale: Scale, *, data_sha256: str | None = None) -> dict[str, Any]:
    """Return what determines the choice of recipe values for an architecture with a probe.

    Parameters
    ----------
    params : Params
        The experiments; that of the scale has ``tune``.
    scale : Scale
        One of the architecture with the probe, of any size.
    data_sha256 : str or None
        Hash of the prepared data; None if they are not known.
    """
    chosen = params.experiment(scale.experiment)
    tune = chosen.tune
    assert tune is not None
    scale = replace(scale, budget=tune.budget)
    trial = run_spec(params, Run(scale, tune.seeds[0]), defaults=False)
    trial["recipe"] = {key: value for key, value in trial["recipe"].items() if key not in tune.values}
    return {
        "values": tune.values,
        "seeds": tune.seeds,
        "epochs": tune.epochs,
        "checked_at": tuning_check(params, scale),
        "trial": {key: value for key, value in trial.items() if key != "seed"},
        "made_with": {
            "torch": torch_version(),
            "data_sha256": data_sha256,
            "code_sha256": code_of_tuning(params, scale),
        },
    }


def tuning_check(params: Params, scale: Scale) -> int | None:
    """Return the budget at which the choice for an architecture is checked; None if it is not."""
    chosen = params.experiment(scale.experiment)
    assert chosen.tune is not None
    largest = max(chosen.budgets, default=None)
    checked = scale.architecture in chosen.architectures[: chosen.tune.check]
    return largest if checked and largest not in (None, chosen.tune.budget) else None


def trial_spec(params: Params, run: Run, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the full specification of a trial: a run with recipe values to try."""
    return {**run_spec(params, run), "recipe": params.trial_recipe(run.scale, dict(values)).model_dump()}


def trial_folder(work: Path, scale: Scale, values: Mapping[str, Any]) -> Path:
    """Return the folder of the trials of recipe values at a scale, in the work folder of tuning."""
    return work / f"{format_size(scale.budget)}-{describe_values(values)}"


def describe_values(values: Mapping[str, Any]) -> str:
    """Write recipe values in one word, ``lr0.02-weight_decay0.1``, for folders and messages."""
    return "-".join(f"{key}{str(value).replace(' ', '').replace('/', '_')}" for key, value in values.items())


def finished_trials(params: Params, scale: Scale) -> int:
    """Count the trials of the listed values that are finished, at one of `Params.families`."""
    tune = params.experiment(scale.experiment).tune
    assert tune is not None
    work = paths.trials(scale.experiment, scale.family)
    made = made_with(params, scale, data_sha256=images_sha256(params, scale))
    count = 0
    for values in tune.combinations:
        for seed in tune.seeds:
            file = trial_folder(work, scale, values) / f"seed{seed}" / "metrics.json"
            if file.exists():
                spec = without_defaults(trial_spec(params, Run(scale, seed), values))
                count += is_same(read_json(file), {"spec": spec, "made_with": made})
    return count


def is_current_choice(found: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    """Whether a file of a choice is unaltered and of this identity; a data hash of None matches any."""
    try:
        wanted = {**identity, "made_with": _with_data_of(found["identity"], identity)}
        return found["identity"] == wanted and found == seal(found)
    except (KeyError, TypeError):
        return False


def made_with(params: Params, scale: Scale, *, data_sha256: str | None) -> dict[str, str | None]:
    """Return what a scale is trained with, in addition to its settings: version of torch, hashes of data and code."""
    return {"torch": torch_version(), "data_sha256": data_sha256, "code_sha256": code_of_training(params, scale)}


@cache
def torch_version() -> str:
    """Return torch's version without the name of the build, without importing torch."""
    return version("torch").partition("+")[0]


def _entry(params: Params, experiment: str, phase: str) -> str:
    """Return where the code of a phase begins for the images of an experiment."""
    data = params.data[params.experiment(experiment).data]
    if data.factors is not None:
        return provenance.ENTRIES[f"{phase}_known"]
    return provenance.ENTRIES["train_on_disk" if phase == "train" and data.stream else phase]


def code_of_training(params: Params, scale: Scale) -> str:
    """Hash the meaning of the code that trains a scale."""
    recipe = params.recipe(scale)
    return provenance.digest(
        _entry(params, scale.experiment, "train"),
        *provenance.of_network(scale.architecture, scale.probe),
        *provenance.of_recipe(recipe),
    )


def code_of_tuning(params: Params, scale: Scale) -> str:
    """Hash the meaning of the code that chooses recipe values for an architecture with a probe."""
    return provenance.digest(
        _entry(params, scale.experiment, "tune"),
        *provenance.of_network(scale.architecture, scale.probe),
        *provenance.of_recipe(params.recipe(scale)),
    )


def code_of_profile(params: Params, scale: Scale) -> str:
    """Hash the meaning of the code that measures the interference in a scale."""
    profile = params.experiment(scale.experiment).profile
    return provenance.digest(
        _entry(params, scale.experiment, "profile"),
        *provenance.of_network(scale.architecture, scale.probe),
        *provenance.of_measures(profile),
    )


def profile_identity(params: Params, scale: Scale) -> dict[str, Any]:
    """Return how profiles are made from the runs of a scale: settings that differ from defaults, and the code."""
    run = Run(scale, params.experiment(scale.experiment).seeds[0])
    return {
        "profile": profile_spec(params, run, defaults=False)["profile"],
        "code_sha256": code_of_profile(params, scale),
        "torch": torch_version(),
    }


def deploy_identity(params: Params, scale: Scale) -> dict[str, Any]:
    """Return what determines what is measured for a device, in addition to the runs: the code and its libraries."""
    code = provenance.digest(provenance.ENTRIES["deploy"], *provenance.of_network(scale.architecture, scale.probe))
    return {"code_sha256": code, "torch": torch_version()}


def reads_from_disk(params: Params, experiment: str) -> bool:
    """Whether the images of an experiment stay on disk while it trains."""
    return params.data[params.experiment(experiment).data].stream


def baseline_identity(params: Params, experiment: str) -> dict[str, str]:
    """Return what determines the baseline of an experiment, in addition to its data."""
    entry = _entry(params, experiment, "baseline")
    return {"code_sha256": provenance.digest(entry), "sklearn": version("scikit-learn")}


def collect_identity(params: Params, experiment: str) -> dict[str, Any]:
    """Return what determines the table of runs, in addition to the runs and profiles: which runs, and the code."""
    expected = [each for scale in params.scales(experiment) for each in job_identity(params, scale)]
    names = measures.names(params.experiment(experiment).profile)  # whose declarations state how they are summarised
    code = [provenance.ENTRIES["collect"], *(f"{measures.FOLDER}/{name}.py" for name in names)]
    return {"runs": content_sha256({"runs": expected}), "code_sha256": provenance.digest(*code)}


def bilinear_identity(params: Params, experiment: str) -> dict[str, str]:
    """Return what determines the eigenvectors of star blocks, in addition to the runs."""
    networks = {
        target
        for scale in params.scales(experiment)
        if catalogue.is_bilinear(scale.architecture)
        for target in provenance.of_network(scale.architecture, scale.probe)
    }
    return {
        "code_sha256": provenance.digest(provenance.ENTRIES["bilinear"], *sorted(networks)),
        "torch": torch_version(),
    }


def part_identity(part: studies.Part) -> dict[str, str]:
    """Return what determines a part of a study, in addition to its settings."""
    return {"code_sha256": provenance.digest(part.target), "torch": torch_version()}


def report_identity(params: Params, name: str) -> dict[str, str]:
    """Return what determines the report on an experiment or study, in addition to its results: the code."""
    subject = params.experiments.get(name, name)
    entries = [
        f"{folder}/{output.entry}.py"
        for folder in (catalogue.TABLES, catalogue.FIGURES)
        for of in (None, "verdicts")
        for output in catalogue.outputs(folder, subject, of)
    ]
    code = [provenance.ENTRIES["report"], *provenance.of_kinds(), *dict.fromkeys(entries)]
    return {"code_sha256": provenance.digest(*code)}


def overview_identity(params: Params) -> dict[str, Any]:
    """Return what determines the overview of all claims, in addition to the verdicts of ``replicate``.

    Verdicts and readings of other experiments and of studies count as they are; the rule does not train their runs.
    """
    others = [name for name in (*params.experiments, *studies.names()) if name not in params.replicate]
    csv_files = {name: paths.claims(name) for name in others}
    csv_files |= {f"{name} readings": paths.tables(name) / "readings.csv" for name in others}
    recorded = {name: sha256(path) for name, path in csv_files.items() if path.exists()}
    return {"others": recorded, "code_sha256": provenance.digest(provenance.ENTRIES["overview"])}


def is_same(metrics: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    """Whether recorded metrics are unaltered and of a run with this identity; a data hash of None matches any."""
    try:
        same = without_defaults(metrics["spec"]) == identity["spec"]
        same = same and metrics["made_with"] == _with_data_of(metrics, identity)
        return same and metrics == seal(metrics)
    except (KeyError, TypeError, AttributeError):  # recorded by another version of lowparam
        return False


def _with_data_of(recorded: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an identity is made with; where its data are not known, with those of what was recorded."""
    wanted = dict(identity["made_with"])
    if wanted["data_sha256"] is None:
        wanted["data_sha256"] = recorded["made_with"]["data_sha256"]
    return wanted


def find_damage(folder: Path, metrics: Mapping[str, Any]) -> str | None:
    """Return the name of a file of a run that is missing or not the one that its metrics describe; None if all are."""
    for file, wanted in metrics["files"].items():
        path = folder / file
        if not path.is_file() or sha256(path) != wanted:
            return file
    return None


def is_trained(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a folder has a run of this identity, complete and undamaged."""
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not is_same(metrics, identity):
        return False
    damaged = find_damage(folder, metrics)
    if damaged is not None:
        print(f"{folder / damaged} is damaged; training the run again", flush=True)
    return damaged is None


def states(params: Params, experiment: str) -> dict[Run, State]:
    """Return the state of every run of an experiment."""
    busy = {scale: is_locked(scale) for scale in params.scales(experiment)}
    return {run: _state(params, run, busy[run.scale]) for run in params.runs(experiment)}


def state(params: Params, run: Run) -> State:
    """Return the state of a run.

    Returns
    -------
    {"finished", "untrained", "diverged", "running", "stale", "missing"}
        ``untrained``: the training ended, and the network has learned hardly more than which class is the largest.
        ``stale``: there is a run, but of other settings, data, code or torch, or its metrics were altered. Weights are
        not hashed here (`is_trained` does). ``running``: a process has begun it, whether there is an older one or not.
    """
    return _state(params, run, is_locked(run.scale))


def _state(params: Params, run: Run, busy: bool) -> State:
    try:
        metrics = read_json(run.folder / "metrics.json")
    except LowparamError:
        metrics = None
    if metrics is not None and is_same(metrics, identity(params, run, data_sha256=images_sha256(params, run.scale))):
        return metrics["status"]
    begun = paths.unfinished(run.scale.experiment, run.scale.name) / f"seed{run.seed}"
    if busy and begun.is_dir():
        return "running"
    return "missing" if metrics is None else "stale"


def images_sha256(params: Params, scale: Scale) -> str | None:
    """Return the hash of the images of a scale; None if they are not prepared here."""
    manifest = paths.manifest(params.experiment(scale.experiment).data)
    return prepared_data.images_sha256(read_json(manifest)) if manifest.exists() else None


def difference(params: Params, experiment: str) -> str | None:
    """Tell in a line how runs.csv differs from what params.yaml describes; None if it does not, or is not there."""
    table = paths.runs_table(experiment)
    try:
        listed = {Path(folder) for folder in read_csv(table)["folder"]}
    except (KeyError, LowparamError, TypeError):  # whoever reads it words that
        return None
    wanted = {run.folder: run for run in params.runs(experiment)}
    found = states(params, experiment)
    counts = {
        "not in params.yaml": len(listed - wanted.keys()),
        "not in the table": len(wanted.keys() - listed),
        "made with other settings, data or code": sum(found[run] == "stale" for run in wanted.values()),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return (
        f"{table} has other runs than params.yaml describes: {told}; run: lowparam run {experiment}" if told else None
    )


def lock_of(work: Path) -> FileLock:
    """Return the lock that a process holds while it trains a scale with this work folder."""
    return FileLock(work.with_name(f"{work.name}.lock"))


def is_locked(scale: Scale) -> bool:
    """Whether a process trains the scale right now."""
    lock = lock_of(paths.unfinished(scale.experiment, scale.name))
    if not Path(lock.lock_file).exists():
        return False
    try:
        with lock.acquire(blocking=False):
            return False
    except Timeout:
        return True
