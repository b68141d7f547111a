"""A short training on real digits, for tests of what takes a run."""

from pathlib import Path

import pytest

from lowparam import data, paths
from lowparam.data import Images
from lowparam.data.sources import digits
from lowparam.params import Run
from lowparam.training.train_scale import train_scale
from quick import make_params


def save_digits(folder: Path, *, train: int, validation: int, test: int) -> None:
    """Prepare a data set of the first images of digits, that many for each split."""
    everything, classes = digits.read("digits", None)
    images = everything["all"]
    start, splits = 0, {}
    for name, count in {"train": train, "validation": validation, "test": test}.items():
        rows = slice(start, start + count)
        splits[name] = Images(images.pixels[rows], images.labels[rows])
        start += count
    data.save(folder, splits, classes)


def make_trained(folder: Path) -> tuple[Path, Path]:
    """Prepare digits and train in a folder; return it, and the run's folder in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_digits(paths.data("digits"), train=400, validation=100, test=200)
        params = make_params(seeds=(0,), architectures=("mobilenetv2",), epochs=6)
        train_scale(params, params.scales("quick")[0], data_folder=paths.data("digits"))
    return folder, Run(params.scales("quick")[0], 0).folder
