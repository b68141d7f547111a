"""Preparing 50,000 images, killed on the way."""

import hashlib
import json
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

DRAWN, COPIES = 2_000, 25
PARAMS = """
data:
  many:
    source: image_folder
    path: images
    size: 32
    allow_copies: true
    split: {train: 0.8, validation: 0.1, test: 0.1}
recipes: {r: {epochs: 1, batch_size: 64, lr: 0.004}}
replicate: [e]
experiments:
  e: {data: many, recipe: r, architectures: [mobilenetv1], probes: [none], budgets: [25k], seeds: [0]}
"""
PREPARE = [sys.executable, "-m", "lowparam.cli", "prepare", "many"]


@pytest.fixture
def place(tmp_path):
    """A folder of noisy photographs, each under many names, as drawing them all would take longer than the test."""
    random = np.random.default_rng(0)
    for number in range(DRAWN):
        folder = tmp_path / f"images/class {number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize((240, 180)).save(folder / f"{number}.jpg")
        for copy in range(1, COPIES):
            (folder / f"{number} {copy}.jpg").hardlink_to(folder / f"{number}.jpg")
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def stored(place) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (place / "results/data/many").iterdir()
    }


@pytest.mark.slow
def test_killed_it_goes_on_and_ends_with_the_same_bytes_in_little_memory(place):
    subprocess.run(PREPARE, cwd=place, check=True)
    whole = stored(place)
    manifest = json.loads((place / "results/data/many/manifest.json").read_text())
    assert sum(map(sum, manifest["images_per_class"].values())) == DRAWN * COPIES
    for path in (place / "results/data/many").iterdir():
        path.unlink()

    first = subprocess.Popen(PREPARE, cwd=place)
    while len(chunks := list((place / ".lowparam/data/many").glob("*/[0-9]*.safetensors"))) < 5:
        assert first.poll() is None, "it should not be done yet"
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (place / "results/data/many/manifest.json").exists()
    times = {path: path.stat().st_mtime_ns for path in chunks}

    second = subprocess.Popen(PREPARE, cwd=place)
    kept = times
    while second.poll() is None:
        kept = {path: path.stat().st_mtime_ns for path in chunks if path.exists()} or kept
        time.sleep(0.01)
    assert second.returncode == 0
    assert stored(place) == whole
    assert kept.items() <= times.items(), "what was done is not done again"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_000_000  # kB, torch's libraries included
