"""Train all seeds of one scale, and survive whatever stops it.

Work is kept in a folder of its own, and only finished files are published to the results. So it does not matter when a
job is killed, nor what the workflow does to the outputs of a job that failed.
"""

import csv
import hashlib
import io
import json
import math
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import Timeout

from lowparam import __version__, data, files, paths, runs
from lowparam.data import SPLITS, Dataset, Streamed
from lowparam.errors import LowparamError
from lowparam.models import network_for, width_for
from lowparam.models.cost import Cost, cost
from lowparam.models.layers import compiled
from lowparam.params import Augment, Params, Recipe, Run, Scale, run_spec, without_defaults
from lowparam.training import checkpoint
from lowparam.training.loop import Training, pick_device
from lowparam.training.untrained import is_untrained, largest_share

__all__ = ["SeedRun", "choice_for", "image_shape", "job_lock", "refuse_folder_augmentation", "seed_runs", "train_scale"]


def train_scale(
    params: Params,
    scale: Scale,
    *,
    data_folder: Path,
    work: Path | None = None,
    results: Path | None = None,
    device: str | None = None,
    again: bool = False,
) -> None:
    """Train all seeds of a scale, each into ``seed<k>/`` with metrics.json, history.csv and model.safetensors.

    Seeds whose results are complete and have the same identity (`lowparam.runs`) are kept.

    Parameters
    ----------
    params : Params
        The experiments.
    scale : Scale
        What to train.
    data_folder : Path
        A prepared data set.
    work : Path or None
        Folder for unfinished work, ``.lowparam/runs/<experiment>/<scale>`` by default. A call that was killed at any
        point resumes from the last finished epoch when it is repeated, and ends with the same bits.
    results : Path or None
        Where to publish; the scale's own folder by default.
    device : str or None
        ``cpu`` or ``cuda``; by default a GPU if there is one.
    again : bool
        Discard what there is, finished or not, and train everything.

    Raises
    ------
    LowparamError
        If the data are missing or damaged, or a folder cannot be written. What is published stays.
    """
    work = work or paths.unfinished(scale.experiment, scale.name)
    with job_lock(work):
        dataset = data.load(data_folder)
        recipe = params.recipe(scale, choice_for(params, scale))
        refuse_folder_augmentation(recipe, params.experiment(scale.experiment).recipe)
        try:
            seeds = seed_runs(params, scale, dataset.sha256, work=work, results=results)
            if again:
                for run in seeds:
                    run.discard()
            missing = [run for run in seeds if not run.is_published()]
            if not missing:
                print(f"{scale.name}: all seeds are trained", flush=True)
            for run in missing:
                if not run.is_done():
                    run.train(Training, dataset, recipe, pick_device(device))
                run.publish()
            shutil.rmtree(work, ignore_errors=True)
        except OSError as error:
            raise LowparamError(f"cannot write {error.filename}: {error.strerror}") from error


def refuse_folder_augmentation(recipe: Recipe, name: str) -> None:
    """Raise `LowparamError` if a recipe, of which the name is given, has changes that images in memory cannot have."""
    for key in ("crop_area", "rand_augment", "color_jitter", "erasing"):
        if getattr(recipe.augment, key) != Augment.model_fields[key].default:
            raise LowparamError(
                f"params.yaml: recipes.{name}.augment.{key} is for images that are streamed; take it out for images in "
                "memory"
            )


def choice_for(params: Params, scale: Scale) -> dict[str, Any]:
    """Return the recipe values that tuning chose for a scale; none if the experiment tunes nothing.

    Raises
    ------
    LowparamError
        If they are not chosen yet, or were chosen by other settings, data or code.
    """
    choice = runs.choice(params, scale)
    if choice is None:
        raise LowparamError(
            f"{paths.tuning(scale.experiment, scale.family)} is missing or stale; choose the values with: "
            f"lowparam tune {scale.experiment} {scale.family}"
        )
    return choice


def seed_runs(
    params: Params, scale: Scale, data_sha256: str, *, work: Path, results: Path | None, writes: bool = True
) -> list["SeedRun"]:
    """Return the runs of a scale, one a seed. The parameters are those of `train_scale` and `SeedRun`."""
    made_with = runs.made_with(params, scale, data_sha256=data_sha256)
    folder, choice = results or scale.folder, choice_for(params, scale)
    return [
        SeedRun(run_spec(params, Run(scale, seed), choice=choice), made_with, work, folder, writes=writes)
        for seed in params.experiment(scale.experiment).seeds
    ]


@contextmanager
def job_lock(work: Path) -> Generator[None]:
    """Hold the lock of a scale, so that two processes never train one; wait for it if another process has it.

    Raises
    ------
    LowparamError
        If the lock cannot be written.
    """
    lock = runs.lock_of(work)
    path = Path(lock.lock_file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print(f"another process trains {work.name}; waiting for it ({path})", flush=True)
            lock.acquire()
    except OSError as error:
        raise LowparamError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


class SeedRun:
    """One run of a scale: its work folder, its published files, and the way from one to the other.

    Parameters
    ----------
    spec : dict
        The full specification of the run (`lowparam.params.run_spec`).
    made_with : dict
        torch, data and code (`lowparam.runs.made_with`).
    work, results : Path
        Folders of the scale; the run has ``seed<k>`` in each.
    writes : bool
        False in all but one of several processes that train the run together.
    wait : callable
        Waits for those processes after each epoch.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        made_with: dict[str, str | None],
        work: Path,
        results: Path,
        *,
        writes: bool = True,
        wait: Callable[[], None] = lambda: None,
    ) -> None:
        self.spec, self.made_with, self.writes, self.wait = spec, made_with, writes, wait
        self.identity = {"spec": without_defaults(spec), "made_with": made_with}
        self.name = f"{work.name} seed {spec['seed']}"
        self.work, self.results = work / f"seed{spec['seed']}", results / f"seed{spec['seed']}"

    def is_published(self) -> bool:
        """Whether the results hold this run, complete and undamaged."""
        return runs.is_trained(self.results, self.identity)

    def is_done(self) -> bool:
        """Whether the work folder does."""
        return runs.is_trained(self.work, self.identity)

    def discard(self) -> None:
        """Delete the published files and the work."""
        for file in reversed(runs.FILES):
            (self.results / file).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def train(self, loop: type[Training], dataset: Dataset | Streamed, recipe: Recipe, device: torch.device) -> None:
        """Train from the last checkpoint, or from the start, and write the files of the run into the work folder."""
        if device.type == "cpu" and not dataset.streaming:
            torch.set_num_threads(1)  # as many runs at once as cores are faster than cores that share a run
        torch.backends.cudnn.deterministic = True
        with torch.device("meta"):  # before the seed is set, because solving for the width may draw
            network_cost = cost(network_for(self.spec, **image_shape(dataset)), dataset.in_channels, dataset.size)
        torch.manual_seed(self.spec["seed"])
        net = network_for(self.spec, **image_shape(dataset))
        training = loop(net, dataset, recipe, seed=self.spec["seed"], device=device)
        try:
            if checkpoint.restore(training, self.work, self.identity):
                self._print(f"resumes after epoch {training.epoch}")
        except LowparamError as error:
            self._print(f"{error}; starting again")
        while not training.finished:
            row = training.run_epoch()
            if self.writes:
                checkpoint.save(training, self.work, self.identity)
            self._print(
                f"epoch {row['epoch']}/{recipe.epochs}: loss {row['train_loss']:.4f}, "
                f"validation accuracy {row['validation_accuracy']:.4f}"
            )
            self.wait()
        diverged = training.diverged_at_step is not None
        if diverged:
            self._print(f"diverged at step {training.diverged_at_step}")
        nothing = {"loss": None, "accuracy": None}
        accuracies = {split: nothing if diverged else training.evaluate(split) for split in SPLITS}
        if self.writes:
            self._write(training, network_cost, accuracies)
            checkpoint.remove(self.work)

    def _print(self, message: str) -> None:
        if self.writes:
            print(
                f"{self.name}: {message}" if not message.startswith("epoch") else f"{self.name} {message}", flush=True
            )

    def _write(self, training: Training, network_cost: Cost, accuracies: dict[str, dict[str, float | None]]) -> None:
        (self.work / "metrics.json").unlink(missing_ok=True)
        dataset = training.data
        share = largest_share(dataset.train.labels)
        weights = checkpoint.pack(training.evaluated.state_dict(), self._metadata(dataset))
        history = _table(training.history)
        with files.atomic(self.work / "model.safetensors") as temporary:
            temporary.write_bytes(weights)
        files.write_text(self.work / "history.csv", history)
        metrics = {
            "status": _status(accuracies["train"]["accuracy"], share),
            "spec": self.spec,
            "width": width_for(self.spec, **image_shape(dataset)),
            "parameters": vars(network_cost.parameters),
            "macs": network_cost.macs,
            "peak_activation_bytes": network_cost.peak_activation_bytes,
            **accuracies,
            "largest_class_share": share,
            "diverged_at_step": training.diverged_at_step,
            "files": {
                "model.safetensors": hashlib.sha256(weights).hexdigest(),
                "history.csv": hashlib.sha256(history.encode()).hexdigest(),
            },
            "made_with": self.made_with,
            "compiled_layers": compiled.loaded() if training.device.type == "cpu" else None,
            "lowparam": __version__,
        }
        files.write_json(self.work / "metrics.json", runs.seal(metrics))

    def _metadata(self, dataset: Dataset | Streamed) -> dict[str, str]:
        """All that is needed to use the weights elsewhere; one entry, as safetensors stores several in random order."""
        about = {
            "spec": self.spec,
            "classes": list(dataset.classes),
            **{key: value for key, value in image_shape(dataset).items() if key != "classes"},
            "mean": dataset.mean.flatten().tolist(),
            "std": dataset.std.flatten().tolist(),
        }
        return {"lowparam": json.dumps(about, sort_keys=True)}

    def publish(self) -> None:
        """Copy the files of the run to the results, each in one step and metrics.json last."""
        (self.results / "metrics.json").unlink(missing_ok=True)
        for temporary in self.results.glob(".*"):  # of a process that was killed while it published
            temporary.unlink()
        for file in runs.FILES:
            with files.atomic(self.results / file) as temporary:
                shutil.copyfile(self.work / file, temporary)


def _status(train_accuracy: float | None, share: float) -> runs.State:
    """Return what came of a training that has ended; `train_accuracy` is None if it diverged."""
    if train_accuracy is None:
        return "diverged"
    return "untrained" if is_untrained(train_accuracy, share) else "finished"


def image_shape(dataset: Dataset | Streamed) -> dict[str, int]:
    """Return what a network has to know of the data: ``classes``, ``in_channels``, ``size``."""
    return {"classes": len(dataset.classes), "in_channels": dataset.in_channels, "size": dataset.size}


def _table(history: list[dict[str, float]]) -> str:
    """Write the history as csv; a value that is not finite is an empty field."""
    text = io.StringIO()
    table = csv.DictWriter(text, history[0], lineterminator="\n")
    table.writeheader()
    table.writerows({key: value if math.isfinite(value) else "" for key, value in row.items()} for row in history)
    return text.getvalue()
