import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from quick import make_params

from lowparam.errors import LowparamError
from lowparam.models.backbone import build
from lowparam.training.distributed import Folders, FolderTraining

RECIPE = {
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
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
    for part, count in (("train", 40), ("val", 8)):
        for name in ("blue", "red"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 80, (int(random.integers(30, 60)), 47, 3), dtype=np.uint8)
                pixels[..., 0 if name == "red" else 2] += 150
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    return root


def training(photographs, **recipe):
    torch.manual_seed(0)
    data = Folders(photographs, 32)
    net = build("mobilenetv1", 6.0, classes=2, in_channels=3, size=32)
    chosen = make_params(**{**RECIPE, "warmup_epochs": 0, "ema": None, **recipe}).recipes["quick"]
    return FolderTraining(net, data, chosen, seed=0, device=torch.device("cpu"))


def test_images_are_read_and_set_aside(photographs):
    data = Folders(photographs, 32)
    assert (data.classes, len(data.train), len(data.validation), len(data.test)) == (["blue", "red"], 78, 2, 16)
    assert not {name for name, _ in data.train} & {name for name, _ in data.validation}


def test_the_same_epoch_has_the_same_images_and_the_next_has_others(photographs):
    run = training(photographs)

    def epoch(number):
        run.epoch = number
        random = torch.Generator().manual_seed(1)
        return [images for images, _, _ in run.training_batches(random)]

    first, again, second = epoch(0), epoch(0), epoch(1)
    assert [len(images) for images in first] == [16, 16, 16, 15, 15]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])


def test_a_network_learns_from_folders(photographs):
    run = training(photographs, epochs=6, batch_size=8, augment={})
    while not run.finished:
        run.run_epoch()
    assert run.evaluate("test")["accuracy"] > 0.9


def test_a_file_that_is_no_image_is_named(photographs, tmp_path):
    for part in ("train", "val"):
        for name in ("blue", "red"):
            (tmp_path / part / name).mkdir(parents=True)
            (tmp_path / part / name / "broken.png").write_text("this is no picture")
    with pytest.raises(LowparamError, match=r"broken\.png is not a readable image"):
        training(tmp_path).run_epoch()
    with pytest.raises(LowparamError, match="train does not exist"):
        Folders(tmp_path / "nowhere", 32)


@pytest.mark.slow
def test_two_processes_train_one_network_and_go_on_from_a_checkpoint(photographs, tmp_path):
    """Batch norm sees half a batch in each, so the result is not that of one process, but it is always the same."""
    params = make_params(seeds=(0,), **{**RECIPE, "epochs": 3, "warmup_epochs": 0, "ema": None}).model_dump(mode="json")
    outputs = []
    for name, stops in (("whole", []), ("stopped", [1])):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        for _ in [*stops, None]:
            torchrun(folder, photographs, stop_after=_)
        outputs.append({f.name: f.read_bytes() for f in sorted((folder / "results").rglob("seed0/*"))})
    assert set(outputs[0]) == {"metrics.json", "history.csv", "model.safetensors"}
    assert outputs[0] == outputs[1]
    metrics = json.loads(outputs[0]["metrics.json"])
    assert metrics["status"] == "finished" and len(outputs[0]["history.csv"].splitlines()) == 4


def torchrun(folder, photographs, stop_after):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [Path(__file__).with_name("stoppable.py"), str(stop_after or 0)]
    command += ["quick", "mobilenetv1-base-5k", photographs, "--size", "32"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(c) for c in command], cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode == 0) == (stop_after is None), done.stderr
