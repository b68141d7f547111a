"""Training all seeds of one scale, and what to do when something stops it.

Work goes on in a folder of its own, and only finished files are published to the results. So it does not matter when
a job is killed, nor what the workflow does to the outputs of a job that failed.
"""

import csv
import hashlib
import io
import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from lowparam import __version__, data, files
from lowparam.data import PARTS, Dataset
from lowparam.errors import LowparamError
from lowparam.models import network_for, width_for
from lowparam.models.cost import Cost, cost
from lowparam.params import Params, Recipe, Run, Scale, run_spec
from lowparam.provenance import code_sha256
from lowparam.training import checkpoint
from lowparam.training.loop import Training, pick_device

__all__ = ["Seed", "alone", "shape", "train_scale"]

FILES = ("model.safetensors", "history.csv", "metrics.json")  # in this order: the last one says that a run is whole


def train_scale(
    params: Params,
    scale: Scale,
    *,
    data_folder: Path,
    work: Path = Path(".lowparam/runs"),
    results: Path | None = None,
    device: str | None = None,
) -> None:
    """Train all seeds of a scale, each into ``seed<k>/`` with metrics.json, history.csv and model.safetensors.

    A seed that is published already, from the same specification, data, code and torch, is kept. If all are, there is
    nothing left that could be the reason to start, so the start is an order to do all again.

    Parameters
    ----------
    params : Params
        The experiments.
    scale : Scale
        What to train.
    data_folder : Path
        A prepared data set.
    work : Path
        Where unfinished work is kept. Killed at any point, the same call goes on from the last finished epoch and
        ends with the same bits.
    results : Path or None
        Where to publish; the scale's own folder by default.
    device : str or None
        ``cpu`` or ``cuda``; by default a GPU where there is one.

    Raises
    ------
    LowparamError
        If the data are missing or damaged, or a folder cannot be written. What is published stays.
    """
    results = Path(results or scale.folder)
    work = Path(work, scale.experiment, scale.name)
    with alone(work) as waited:
        dataset = data.load(data_folder)
        made_with = {
            "lowparam": __version__,
            "torch": torch.__version__,
            "data_sha256": dataset.sha256,
            "code_sha256": code_sha256("train", architecture=scale.architecture),
        }
        runs = [Run(scale, seed) for seed in params.experiment(scale.experiment).seeds]
        jobs = [Seed(run_spec(params, run), made_with, work, results) for run in runs]
        recipe = params.recipe(scale)
        _refuse_folder_augmentation(recipe, params.experiment(scale.experiment).recipe)
        try:
            _train(jobs, dataset, recipe, pick_device(device), waited)
            shutil.rmtree(work, ignore_errors=True)
        except OSError as error:
            raise LowparamError(f"cannot write {error.filename}: {error.strerror}") from error


def _refuse_folder_augmentation(recipe: Recipe, name: str) -> None:
    for key in ("rand_augment", "color_jitter", "erasing"):
        if getattr(recipe.augment, key):
            raise LowparamError(
                f"params.yaml: recipes.{name}.augment.{key} is for image folders; take it out for images in memory"
            )


def _train(jobs: list["Seed"], dataset: Dataset, recipe: Recipe, device: torch.device, waited: bool) -> None:
    if all(job.is_published() for job in jobs):
        if waited or all(job.is_done() for job in jobs):
            print("all seeds are trained", flush=True)
            return
        for job in jobs:
            job.forget()
    for job in jobs:
        if not job.is_published():
            if not job.is_done():
                job.train(Training, dataset, recipe, device)
            job.publish()


class alone:
    """Hold the lock of a job, so that two processes never work on one; tells whether it had to wait."""

    def __init__(self, work: Path) -> None:
        self.path = work.with_name(f"{work.name}.lock")
        self.lock = FileLock(self.path)

    def __enter__(self) -> bool:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.lock.acquire(blocking=False)
                return False
            except Timeout:
                print(f"another process trains {self.path.stem}; waiting for it ({self.path})", flush=True)
                self.lock.acquire()
                return True
        except OSError as error:
            raise LowparamError(f"cannot write {self.path}: {error.strerror or error}") from error

    def __exit__(self, *_) -> None:
        self.lock.release()


class Seed:
    """One run of the scale: its work folder, its published files, and the way from one to the other."""

    def __init__(self, spec: dict[str, Any], made_with: dict[str, str], work: Path, results: Path) -> None:
        self.spec, self.made_with = spec, made_with
        self.identity = {"spec": spec, "provenance": made_with}
        self.name = f"{work.name} seed {spec['seed']}"
        self.work, self.results = work / f"seed{spec['seed']}", results / f"seed{spec['seed']}"

    def is_published(self) -> bool:
        """Whether the results hold this run, whole and made with the same data and code."""
        return self._is_whole(self.results)

    def is_done(self) -> bool:
        """Whether the work folder does."""
        return self._is_whole(self.work)

    def _is_whole(self, folder: Path) -> bool:
        try:
            metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            if {"spec": metrics["spec"], "provenance": metrics["provenance"]} != self.identity:
                return False
            history = (folder / "history.csv").is_file()
            intact = checkpoint.sha256(folder / "model.safetensors") == metrics["model_sha256"]
        except (OSError, ValueError, KeyError):
            return False
        if not (history and intact):
            print(f"{self.name}: {folder} is damaged; making it again", flush=True)
        return history and intact

    def forget(self) -> None:
        """Delete the published files and the work."""
        for file in reversed(FILES):
            (self.results / file).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def train(self, loop: type[Training], dataset: Dataset, recipe: Recipe, device: torch.device) -> None:
        """Train from the last checkpoint, or from the start, and write the files of the run into the work folder."""
        if device.type == "cpu":
            torch.set_num_threads(1)  # as many runs at once as cores are faster than cores that share a run
        torch.backends.cudnn.deterministic = True
        for file in FILES:
            (self.work / file).unlink(missing_ok=True)
        with torch.device("meta"):  # before the seed is set, because solving for the width may draw
            price = cost(network_for(self.spec, **shape(dataset)), dataset.in_channels, dataset.size)
        torch.manual_seed(self.spec["seed"])
        net = network_for(self.spec, **shape(dataset))
        training = loop(net, dataset, recipe, seed=self.spec["seed"], device=device)
        try:
            if checkpoint.restore(training, self.work, self.identity):
                print(f"{self.name}: goes on after epoch {training.epoch}", flush=True)
        except LowparamError as error:
            print(f"{self.name}: {error}; starting again", flush=True)
        while not training.finished:
            row = training.run_epoch()
            checkpoint.save(training, self.work, self.identity)
            print(
                f"{self.name} epoch {row['epoch']}/{recipe.epochs}: loss {row['train_loss']:.4f}, "
                f"validation accuracy {row['validation_accuracy']:.4f}",
                flush=True,
            )
        if training.diverged_at_step is not None:
            print(f"{self.name}: diverged at step {training.diverged_at_step}", flush=True)
        self._write(training, price)
        checkpoint.remove(self.work)

    def _write(self, training: Training, price: Cost) -> None:
        weights = checkpoint.pack(training.evaluated.state_dict())
        with files.atomic(self.work / "model.safetensors") as temporary:
            temporary.write_bytes(weights)
        files.write_text(self.work / "history.csv", _table(training.history))
        diverged = training.diverged_at_step is not None
        nothing = {"loss": None, "accuracy": None}
        files.write_json(
            self.work / "metrics.json",
            {
                "status": "diverged" if diverged else "finished",
                "spec": self.spec,
                "width": width_for(self.spec, **shape(training.data)),
                "parameters": vars(price.parameters),
                "macs": price.macs,
                "peak_activation_bytes": price.peak_activation_bytes,
                **{name: nothing if diverged else training.evaluate(name) for name in PARTS},
                "diverged_at_step": training.diverged_at_step,
                "model_sha256": hashlib.sha256(weights).hexdigest(),
                "provenance": self.made_with,
            },
        )

    def publish(self) -> None:
        """Copy the files of the run to the results, each in one step and metrics.json last."""
        (self.results / "metrics.json").unlink(missing_ok=True)
        for file in FILES:
            with files.atomic(self.results / file) as temporary:
                shutil.copyfile(self.work / file, temporary)


def shape(dataset: Dataset) -> dict[str, int]:
    """What a network has to know of the data."""
    return {"classes": len(dataset.classes), "in_channels": dataset.in_channels, "size": dataset.size}


def _table(history: list[dict[str, float]]) -> str:
    """Write the history as csv; a value that is not finite is an empty field."""
    text = io.StringIO()
    table = csv.DictWriter(text, history[0], lineterminator="\n")
    table.writeheader()
    table.writerows({key: value if math.isfinite(value) else "" for key, value in row.items()} for row in history)
    return text.getvalue()
