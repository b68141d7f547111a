"""Measure how long a training step takes: a few steps of the training loop on the first images of a data set."""

import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from lowparam import data
from lowparam.data import Dataset
from lowparam.data.known import load_known
from lowparam.models.skeletons.controlled import Network
from lowparam.params import Dose, Recipe
from lowparam.threads import one_thread
from lowparam.training.loop import EVALUATION_BATCH, Training
from lowparam.training.train_known import PresenceTraining

__all__ = ["STEPS", "measure_step"]

STEPS = 6
"""Steps that are timed, after as many that are not: the first ones allocate memory and compile kernels."""


@one_thread()
def measure_step(net: Network, data_folder: Path, recipe: Recipe, *, forward: float) -> float:
    """Return the seconds of one training step on one CPU core: changes of images, loss, penalties and update included.

    Parameters
    ----------
    net : Network
        The network, with drawn weights; it is trained.
    data_folder : Path
        A prepared data set whose images are held in memory.
    recipe : Recipe
        How to train.
    forward : float
        What the evaluation of a batch costs, as a share of a step: an epoch ends with one.

    Raises
    ------
    LowparamError
        If the data are missing or damaged, or the recipe does not suit the network.
    """
    images = _first_images(data_folder, recipe.dose, STEPS * recipe.batch_size)
    kind = Training if recipe.dose is None else PresenceTraining
    training = kind(net, images, recipe, seed=0, device=torch.device("cpu"))
    training.run_epoch()
    start = time.perf_counter()
    training.run_epoch()
    return (time.perf_counter() - start) / (training.steps_per_epoch + forward)


@cache  # the networks of a plan share them
def _first_images(data_folder: Path, dose: Dose | None, count: int) -> Dataset:
    """Return a data set with the first `count` training images and one batch of validation images."""
    dataset = data.load(data_folder) if dose is None else load_known(data_folder, dose)
    assert isinstance(dataset, Dataset)  # a plan predicts streamed images
    rows = torch.arange(min(count, len(dataset.train)))
    few = torch.arange(min(EVALUATION_BATCH, len(dataset.validation)))
    return replace(dataset, train=dataset.train.take(rows), validation=dataset.validation.take(few))
