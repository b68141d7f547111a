import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock
from PIL import Image

from lowparam import data
from lowparam.data.prepare import prepare
from lowparam.errors import LowparamError
from lowparam.models.skeletons.controlled import build
from lowparam.params import Data
from lowparam.training import distributed, loop
from lowparam.training.distributed import StreamedTraining, train_streamed
from quick import make_params

RECIPE = {
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
    "warmup_epochs": 0,
    "ema": None,
    "augment": {
        "flip": True,
        "rand_augment": "rand-m9-mstd0.5-inc1",
        "color_jitter": 0.4,
        "erasing": 0.25,
        "mixup": 0.2,
    },
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two classes of drawn photographs, odd in size: reddish and bluish noise."""
    root, random = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for split, count in (("train", 40), ("val", 8)):
        for name in ("blue", "red"):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 80, (int(random.integers(30, 60)), 47, 3), dtype=np.uint8)
                pixels[..., 0 if name == "red" else 2] += 150
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return root


def source(photographs):
    split = {"train": 0.9, "validation": 0.1}
    return {"source": "image_folder", "path": str(photographs), "size": 32, "stream": True, "split": split}


@pytest.fixture(scope="module")
def streamed(photographs, tmp_path_factory):
    """The folder of the prepared data set: names of files, no pixels."""
    folder = tmp_path_factory.mktemp("data") / "photographs"
    prepare("photographs", Data.model_validate(source(photographs)), folder)
    return folder


def training(folder, **recipe):
    torch.manual_seed(0)
    net = build("mobilenetv1", 6.0, classes=2, in_channels=3, size=32)
    chosen = make_params(**{**RECIPE, **recipe}).recipes["quick"]
    return StreamedTraining(net, data.load(folder), chosen, seed=0, device=torch.device("cpu"))


def test_the_same_epoch_has_the_same_images_and_the_next_has_others(streamed):
    run = training(streamed)

    def epoch(number):
        run.epoch = number
        random = torch.Generator().manual_seed(1)
        return [images for images, _, _ in run.training_batches(random)]

    first, again, second = epoch(0), epoch(0), epoch(1)
    assert [len(images) for images in first] == [15, 15, 14, 14, 14]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])


def test_images_are_standardised_as_the_data_set_says(streamed):
    run = training(streamed)
    seen = torch.cat([images for images, _ in run.evaluation_batches("train")])
    assert seen.mean((0, 2, 3)).abs().max() < 0.1
    assert (seen.std((0, 2, 3)) - 1).abs().max() < 0.2  # scaling smooths the noise


def test_of_a_large_training_split_evenly_spaced_files_are_evaluated(streamed, monkeypatch):
    monkeypatch.setattr(loop, "MOST_TRAINING_IMAGES", 5)
    run = training(streamed)
    files = run.evaluated_images("train")
    count = len(run.data.train)
    assert list(files.names) == [run.data.train.names[row * count // 5] for row in range(5)]
    assert sum(len(labels) for _, labels in run.evaluation_batches("train")) == 5


def test_a_network_learns_from_folders(streamed):
    run = training(streamed, epochs=6, batch_size=8, augment={})
    while not run.finished:
        run.run_epoch()
    assert run.evaluate("test")["accuracy"] > 0.9


def test_a_file_that_is_no_image_is_named_in_one_line(photographs, tmp_path):
    shutil.copytree(photographs, tmp_path / "photographs")
    prepare("broken", Data.model_validate(source(tmp_path / "photographs")), tmp_path / "broken")
    for image in (tmp_path / "photographs/train").glob("*/*.png"):
        image.write_text("this is no picture")
    with pytest.raises(
        LowparamError,
        match=r"^\S+\.png is not a readable image: Pillow knows no image that begins as .this is no pictu.$",
    ):
        training(tmp_path / "broken").run_epoch()


def test_augmentation_for_images_in_memory_is_refused_by_name(streamed):
    params = make_params(**{**RECIPE, "augment": {"crop_padding": 4}})
    with pytest.raises(LowparamError, match=r"recipes\.quick\.augment\.crop_padding is for images in memory"):
        train_streamed(params, params.scales("quick")[0], data_folder=streamed)


@pytest.mark.parametrize(("gpus", "device", "count"), [(4, None, 4), (4, "cpu", 1), (0, None, 1)])
def test_there_is_a_process_for_each_gpu(monkeypatch, gpus, device, count):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(distributed, "pick_device", lambda name: torch.device(name or ("cuda" if gpus else "cpu")))
    assert distributed.count_processes(device) == count


@pytest.fixture
def place(photographs, tmp_path):
    """A folder with params.yaml and prepared data, and lowparam in it."""

    def make(name="place", **recipe):
        folder = tmp_path / name
        params = make_params(seeds=(0, 1), **{**RECIPE, "epochs": 3, **recipe}).model_dump(mode="json")
        params["data"] = {"digits": source(photographs)}
        (folder / "results").mkdir(parents=True)
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        assert run(folder, "prepare", "digits").returncode == 0
        return folder

    def run(folder, *arguments, program=("-m", "lowparam.cli")):
        command = [sys.executable, *program, *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run([str(c) for c in command], cwd=folder, env=environment, capture_output=True, text=True)

    return SimpleNamespace(make=make, run=run)


TRAIN = ("train", "quick", "mobilenetv1-none-5k", "--device", "cpu")


def contents(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted((folder / "results/quick").rglob("seed*/*"))}


@pytest.mark.slow
def test_two_processes_train_one_network_and_go_on_from_a_checkpoint(place):
    """Batch norm sees half a batch in each, so the result is not that of one process, but it is always the same."""
    whole, stopped = place.make("whole"), place.make("stopped")
    done = place.run(whole, *TRAIN, "--processes", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 3/3") == 2  # once a seed: only the first process speaks
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2)
    killed = place.run(stopped, *TRAIN, program=(*torchrun, Path(__file__).parents[1] / "helpers/stoppable.py", 1))
    assert killed.returncode != 0 and not contents(stopped)
    done = place.run(stopped, *TRAIN, "--processes", 2)
    assert done.returncode == 0, done.stderr
    assert "seed 0: resumes after epoch 1" in done.stdout
    assert contents(whole) == contents(stopped)
    files = {f"seed{seed}/{name}" for seed in (0, 1) for name in ("metrics.json", "history.csv", "model.safetensors")}
    assert {"/".join(name.split("/")[-2:]) for name in contents(whole)} == files
    metrics = json.loads(next((whole / "results").rglob("seed0/metrics.json")).read_text())
    assert metrics["status"] in ("finished", "untrained"), "it ended, perhaps too early to learn anything"
    assert metrics["spec"]["data"]["stream"]
    assert not list((whole / ".lowparam/runs").rglob("*.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_what_stops_a_streamed_training_is_said_in_one_line(place, processes):
    folder = place.make()
    lock = folder / ".lowparam/runs/quick/mobilenetv1-none-5k.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        stopped = place.run(folder, *TRAIN, "--processes", processes)
    assert stopped.returncode == 1
    assert stopped.stderr.splitlines()[-1] == (
        f"lowparam: another job trains mobilenetv1-none-5k; start again when it has ended ({lock.relative_to(folder)})"
    )
    (folder / "results/data/digits/files.json").write_text("{}")
    stopped = place.run(folder, *TRAIN, "--processes", processes)
    assert stopped.returncode == 1
    assert stopped.stderr.splitlines() == [
        "lowparam: results/data/digits/files.json is not the file its manifest describes; run: lowparam prepare digits"
    ]
