"""How long an experiment will take and how much memory a job will need, before anything runs.

A step is predicted from three counts: how many layers it calls, how many activation values they write and how many
multiply-accumulates they do. The seconds that each costs were fitted to measured steps (docs/performance.md), so
another machine is faster or slower by about one factor, which `speed` corrects. What a network does outside its layers,
and penalties, are not in the counts; `measure` times a few steps of each network in place of predicting them.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.models import network_for
from lowparam.models.counts import Counts, count_layers
from lowparam.params import Params, Recipe, Run, Scale, run_spec
from lowparam.training.malloc import KEPT
from lowparam.training.step_time import measure_step
from lowparam.waiting import track

__all__ = ["activation_bytes", "plan", "step_seconds", "totals"]

PER_LAYER = 1.31e-4  # seconds of a CPU core
PER_VALUE = 2.39e-9
PER_MAC = 7.60e-11
PER_RETURNED_VALUE = 1.4e-9  # in addition, where the memory of a batch is given back after each step
FORWARD = 1 / 3  # of a training step
START = 3.0  # seconds until a process trains: imports, data, the width
EPOCH = 0.01  # seconds for a checkpoint, draws and a line in the log
PROCESS_MB = 690  # torch and what it loads
KEPT_BYTES, RETURNED_BYTES = 9.0, 4.0  # an activation value of a batch, where freed memory is kept or given back


def step_seconds(counts: Counts, batch_size: int) -> float:
    """Predict the seconds of one training step on one core."""
    per_value = PER_VALUE + (PER_RETURNED_VALUE if batch_size * counts.values >= KEPT else 0.0)
    return PER_LAYER * counts.layers + batch_size * (per_value * counts.values + PER_MAC * counts.macs)


def activation_bytes(values: int) -> float:
    """Predict the memory that a batch of so many activation values needs (`lowparam.training.malloc`)."""
    return KEPT_BYTES * values if values < KEPT else max(KEPT_BYTES * KEPT / 2, RETURNED_BYTES * values)


def plan(
    params: Params,
    experiment: str,
    *,
    data: Path = Path("results/data"),
    speed: float = 1.0,
    measure: bool = False,
) -> pd.DataFrame:
    """Predict every scale of an experiment.

    Parameters
    ----------
    params : Params
        The experiments.
    experiment : str
        Name of one.
    data : Path
        Folder of the prepared data sets; how many images there are is read from the manifest.
    speed : float
        How many times as fast the machine is as the one of docs/performance.md.
    measure : bool
        Time a few steps of each network on this machine, about a second each (`lowparam.training.step_time`).
        Networks whose images stay on disk are predicted all the same.

    Returns
    -------
    DataFrame
        A row for each tuning, with its listed values only, of which all take as long as the first; and a row for each
        scale: ``scale``, ``parameters``, ``macs``, ``runs``, ``images_per_second`` in training,
        ``seconds`` of the job with all its seeds on one core, ``memory_mb`` of its process.

    Raises
    ------
    LowparamError
        If the data set is not prepared.
    """
    chosen = params.experiment(experiment)
    manifest = data / chosen.data / "manifest.json"
    if not manifest.exists():
        raise LowparamError(f"{manifest} does not exist; make it with: lowparam prepare {chosen.data}")
    about = read_json(manifest)
    images = {split: sum(classes) for split, classes in about["images_per_class"].items()}
    stored = sum(images.values())
    if factors := params.data[chosen.data].factors:  # a network is trained on one of the sets of images
        images = dict(zip(("train", "validation", "test"), factors.images, strict=True))
    in_channels, size, _ = about["shape"]

    def row(name: str, scale: Scale, recipe: Recipe, runs: int) -> dict[str, Any]:
        spec = run_spec(params, Run(scale, chosen.seeds[0]))
        # Not on the meta device: networks of timm look at their values while they are built.
        net = network_for(spec, classes=len(about["classes"]), in_channels=in_channels, size=size)
        counts = count_layers(net, in_channels, size)
        if measure and not about.get("streaming"):
            step = speed * measure_step(net, manifest.parent, recipe, forward=FORWARD)
        else:
            step = step_seconds(counts, recipe.batch_size)
        image = step / recipe.batch_size
        epoch = image * (images["train"] + FORWARD * images["validation"]) + EPOCH
        run = recipe.epochs * epoch + FORWARD * image * sum(images.values())
        return {
            "scale": name,
            "parameters": counts.parameters,
            "macs": counts.macs,
            "runs": runs,
            "images_per_second": speed / image,
            "seconds": START + runs * run / speed,
            "memory_mb": PROCESS_MB
            + activation_bytes(counts.values * recipe.batch_size) / 2**20
            + (0 if about.get("streaming") else stored * in_channels * size**2 / 2**20),
        }

    tune = chosen.tune
    tuning = [
        row(
            scale.tuning_job,
            scale,
            params.trial_recipe(scale, tune.combinations[0]),
            tune.trials,
        )
        for scale in (params.families(experiment) if tune else [])
        if tune
    ]
    training = [
        row(scale.name, scale, params.recipe(scale), len(chosen.seeds))
        for scale in track(params.scales(experiment), f"predicting {experiment}")
    ]
    return pd.DataFrame([*tuning, *training])


def totals(table: pd.DataFrame, cores: int) -> dict[str, float]:
    """Add up a plan: number of runs, core hours, hours on `cores` cores, and memory in MB with as many jobs at once.

    Jobs are of unequal length and cannot be divided, so no plan is shorter than its longest job.
    """
    seconds = table["seconds"].sum()
    return {
        "runs": int(table["runs"].sum()),
        "core_hours": seconds / 3600,
        "hours": max(seconds / cores, table["seconds"].max()) / 3600,
        "memory_mb": table["memory_mb"].nlargest(cores).sum(),
    }
