"""Choose recipe values by validation accuracy, for one architecture with one probe.

Every comparison depends on the learning rate, and the best one differs between networks. So each architecture with each
probe gets its own, by the same rule: train the listed values with seeds that the results do not use, and take the value
with the highest mean validation accuracy. A list whose best value is at its end says little, so it is extended, and so
is a list of which no value trains: downwards, because a step that is too large is what keeps a network from learning.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lowparam import data, files, paths, runs
from lowparam.data import Dataset
from lowparam.errors import LowparamError
from lowparam.params import Params, Run, Scale, Tune, are_numbers, format_size
from lowparam.training.loop import Training, pick_device
from lowparam.training.train_scale import SeedRun, job_lock, refuse_folder_augmentation

__all__ = ["EXTENSIONS", "Trials", "best_of", "choose", "edges", "next_value", "tune"]

EXTENSIONS = 2
"""How often the list of a value is extended at most."""

Values = dict[str, Any]


def tune(
    params: Params, scale: Scale, *, data_folder: Path, work: Path | None = None, device: str | None = None
) -> None:
    """Choose recipe values for an architecture with a probe, and write ``results/<experiment>/tuning/<family>.json``.

    The file has the chosen values, where the list ended (``at_edge``), what was added to it, every trial, and for some
    architectures a check at the largest budget: whether the chosen values are better there than their neighbours. If
    they do not train there, the best neighbour that does is chosen.

    Parameters
    ----------
    params : Params
        The experiments; that of the scale has ``tune``.
    scale : Scale
        One of `Params.families`.
    data_folder : Path
        A prepared data set.
    work : Path or None
        Folder of the trials, ``.lowparam/tuning/<experiment>/<family>`` by default. A trial that is finished there is
        not repeated, also when other values are added, and one that was killed resumes.
    device : str or None
        ``cpu`` or ``cuda``; by default a GPU if there is one.

    Raises
    ------
    LowparamError
        If the data are missing or damaged, or a folder cannot be written.
    """
    settings = params.experiment(scale.experiment).tune
    assert settings is not None
    work = work or paths.trials(scale.experiment, scale.family)
    refuse_folder_augmentation(params.recipe(scale), params.experiment(scale.experiment).recipe)
    with job_lock(work):
        dataset = data.load(data_folder)
        trials = Trials(params, scale, settings, dataset, work, pick_device(device))
        try:
            content = choose(params, scale, settings, trials)
            content["identity"] = runs.tuning_identity(params, scale, data_sha256=dataset.sha256)
            files.write_json(paths.tuning(scale.experiment, scale.family), runs.seal(content))
        except OSError as error:
            raise LowparamError(f"cannot write {error.filename}: {error.strerror}") from error
        print(f"{scale.family}: chose {runs.describe_values(content['chosen'])}", flush=True)


def choose(params: Params, scale: Scale, settings: Tune, trials: "Trials") -> dict[str, Any]:
    """Train the listed values and what extends the lists; return what was chosen and why."""
    tried = {key: list(values) for key, values in settings.values.items()}
    added: dict[str, list[Any]] = {key: [] for key in tried}
    candidates = {frozen(values): trials.run(values) for values in settings.combinations}
    chosen = best_of(candidates, tried)
    while extension := _downwards(params, scale, candidates, tried, added) or _extension(
        params, scale, chosen, tried, added
    ):
        for key, value in extension.items():
            tried[key] = sorted([*tried[key], value])
            added[key].append(value)
            values = {**chosen, key: value}
            candidates[frozen(values)] = trials.run(values)
        chosen = best_of(candidates, tried)
    return _that_trains(
        {
            "chosen": chosen,
            "at_edge": edges(chosen, tried),
            "added": {key: values for key, values in added.items() if values},
            "check": _check(params, scale, trials, chosen, tried),
            "trials": trials.rows,
        },
        tried,
    )


class Trials:
    """Train values, each with all seeds of tuning, and keep a row for each training.

    Parameters
    ----------
    params, scale, settings
        As in `tune`; `settings` is the experiment's ``tune``.
    dataset : Dataset
        Images in memory.
    work : Path
        Folder of the trials.
    device : torch.device
        Where to train.
    """

    def __init__(
        self, params: Params, scale: Scale, settings: Tune, dataset: Dataset, work: Path, device: torch.device
    ) -> None:
        self.params, self.scale, self.settings, self.dataset = params, scale, settings, dataset
        self.work, self.device = work, device
        self.rows: list[dict[str, Any]] = []

    def run(self, values: Values, budget: int | None = None) -> list[dict[str, Any]]:
        """Train values with every seed, at a budget if it is not that of tuning; return a row for each seed.

        A row has ``values``, ``budget``, ``seed``, ``status`` (finished, diverged or untrained), ``train_loss`` in
        nats, and ``train_accuracy`` and ``validation_accuracy`` as shares; None if the training diverged.
        """
        scale = self.scale if budget is None else replace(self.scale, budget=budget)
        rows = [self._train(scale, values, seed) for seed in self.settings.seeds]
        self.rows += rows
        return rows

    def _train(self, scale: Scale, values: Values, seed: int) -> dict[str, Any]:
        recipe = self.params.trial_recipe(scale, values)
        spec = runs.trial_spec(self.params, Run(scale, seed), values)
        made_with = runs.made_with(self.params, scale, data_sha256=self.dataset.sha256)
        folder = runs.trial_folder(self.work, scale, values)
        run = SeedRun(spec, made_with, folder, folder)
        if not run.is_done():
            run.train(Training, self.dataset, recipe, self.device)
        metrics = files.read_json(run.work / "metrics.json")
        return {
            "values": values,
            "budget": format_size(scale.budget),
            "seed": seed,
            "status": metrics["status"],
            "train_loss": metrics["train"]["loss"],
            "train_accuracy": metrics["train"]["accuracy"],
            "validation_accuracy": metrics["validation"]["accuracy"],
        }


def best_of(candidates: Mapping[tuple, Sequence[Mapping[str, Any]]], tried: Mapping[str, Sequence[Any]]) -> Values:
    """Return the values with the highest mean validation accuracy; ties go to the smaller value.

    Values of which a training diverged or stayed untrained are left out. If that leaves none, those with the lowest
    mean training loss are returned, or the smallest ones if a training diverged with each. A loss without a value, as
    of a network that overflows on the training images, ranks last.

    Parameters
    ----------
    candidates : mapping
        The rows of `Trials.run` by `frozen` values.
    tried : mapping of str to list
        All values of each key, in rising order.
    """
    found = list(candidates.values())
    trained = [rows for rows in found if _statuses(rows) == {"finished"}]
    converged = [rows for rows in found if "diverged" not in _statuses(rows)]

    def rank(rows: Sequence[Mapping[str, Any]]) -> tuple[float, list[int]]:
        score = _mean(rows, "validation_accuracy") if trained else -_mean(rows, "train_loss") if converged else 0.0
        return -round(score, 9), _place(rows[0]["values"], tried)

    return dict(min(trained or converged or found, key=rank)[0]["values"])


def _statuses(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    return {row["status"] for row in rows}


def _mean(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    return sum(math.inf if row[column] is None else row[column] for row in rows) / len(rows)


def _place(values: Mapping[str, Any], tried: Mapping[str, Sequence[Any]]) -> list[int]:
    return [list(tried[key]).index(value) for key, value in values.items()]


def edges(chosen: Mapping[str, Any], tried: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Return the keys whose chosen value is the ``smallest`` or ``largest`` number of its list."""
    found = {}
    for key, value in chosen.items():
        if are_numbers(list(tried[key])) and value in (tried[key][0], tried[key][-1]):
            found[key] = "smallest" if value == tried[key][0] else "largest"
    return found


def next_value(values: Sequence[float], side: str) -> float | None:
    """Return the number that continues a rising list by the ratio of its last two values.

    Parameters
    ----------
    values : sequence of float
        At least two, rising.
    side : {"smallest", "largest"}
        The end at which it is continued.

    Returns
    -------
    float or None
        Rounded to two significant digits, and whole if all values are; None where a ratio continues nothing, as from 0.
    """
    end, neighbour = (values[0], values[1]) if side == "smallest" else (values[-1], values[-2])
    if end <= 0 or neighbour <= 0:
        return None
    value = float(f"{end * end / neighbour:.1e}")
    if all(isinstance(each, int) for each in values):
        value = round(value)
    return value if value > 0 and value not in values else None


def _downwards(
    params: Params,
    scale: Scale,
    candidates: Mapping[tuple, Sequence[Mapping[str, Any]]],
    tried: dict[str, list[Any]],
    added: dict[str, list[Any]],
) -> Values:
    """Return the values to add at the lower ends of lists if nothing trains yet; empty if something does."""
    if any(_statuses(rows) == {"finished"} for rows in candidates.values()):
        return {}
    smallest = {key: values[0] for key, values in tried.items()}
    found = {}
    for key in edges(smallest, tried):
        value = next_value(tried[key], "smallest") if len(added[key]) < EXTENSIONS else None
        if value is not None and _is_valid(params, scale, {**smallest, key: value}):
            found[key] = value
    return found


def _extension(
    params: Params, scale: Scale, chosen: Values, tried: dict[str, list[Any]], added: dict[str, list[Any]]
) -> Values:
    """Return the values to add to the lists at whose end the best value is; empty if there is nothing to add."""
    found = {}
    for key, side in edges(chosen, tried).items():
        value = next_value(tried[key], side) if len(added[key]) < EXTENSIONS else None
        if value is not None and _is_valid(params, scale, {**chosen, key: value}):
            found[key] = value
    return found


def _is_valid(params: Params, scale: Scale, values: Values) -> bool:
    try:
        params.trial_recipe(scale, values)
    except ValueError:  # beyond what the recipe allows, such as a dropout of 1
        return False
    return True


def _check(params: Params, scale: Scale, trials: Trials, chosen: Values, tried: dict[str, list[Any]]) -> Any:
    """Train the chosen values and their neighbours at the largest budget, for the architectures that are checked."""
    budget = runs.tuning_check(params, scale)
    if budget is None:
        return None
    candidates = {frozen(values): trials.run(values, budget) for values in [chosen, *_neighbours(chosen, tried)]}
    best = best_of(candidates, tried)
    return {"budget": format_size(budget), "best": best, "agrees": best == chosen}


def _that_trains(content: dict[str, Any], tried: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Take what trains best at the largest budget if the choice was checked there and does not train."""
    check, chosen = content["check"], content["chosen"]
    if check is None or check["agrees"]:
        return content
    rows = [row for row in content["trials"] if row["budget"] == check["budget"] and row["values"] == chosen]
    if _statuses(rows) == {"finished"}:
        return content
    return content | {"chosen": check["best"], "at_edge": edges(check["best"], tried)}


def _neighbours(chosen: Values, tried: Mapping[str, Sequence[Any]]) -> Iterator[Values]:
    for key, value in chosen.items():
        place = list(tried[key]).index(value)
        for beside in (place - 1, place + 1):
            if 0 <= beside < len(tried[key]):
                yield {**chosen, key: tried[key][beside]}


def frozen(values: Mapping[str, Any]) -> tuple:
    """Return values in a form that a dictionary can have as a key."""
    return tuple(sorted((key, repr(value)) for key, value in values.items()))
