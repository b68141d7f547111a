"""A short training on real digits, for tests of what takes a run."""

from pathlib import Path

import pytest

from lowparam import data, paths
from lowparam.data import Images
from lowparam.data.sources import digits
from lowparam.params import Run
from lowparam.training.train_scale import train_scale
from quick import make_params


def make_trained(folder: Path) -> tuple[Path, Path]:
    """Prepare digits and train in a folder; return it, and the run's folder in it."""
    everything, classes = digits.read("digits", None)
    images = everything["all"]
    splits = {"train": slice(0, 400), "validation": slice(400, 500), "test": slice(500, 700)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        arrays = {name: Images(images.pixels[rows], images.labels[rows]) for name, rows in splits.items()}
        data.save(paths.data("digits"), arrays, classes)
        params = make_params(seeds=(0,), architectures=("mobilenetv2",), epochs=6)
        train_scale(params, params.scales("quick")[0], data_folder=paths.data("digits"))
    return folder, Run(params.scales("quick")[0], 0).folder
