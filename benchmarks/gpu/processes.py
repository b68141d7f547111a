"""Runs an hour of the grid of digits with several processes on one device.

All processes build their networks, wait for each other, and then train one epoch of one network after the other, each
in an order of its own. A run is as many epochs as the recipe has. So the speed is that of the whole grid, though no
run ends; start-up is left out of it and printed beside it.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from settings import grid, recipe, seeds

from lowparam.data import Dataset, Images
from lowparam.models import width_for
from lowparam.models.skeletons import controlled
from lowparam.params import Recipe
from lowparam.training.loop import Training

__all__ = ["rows", "work"]

IMAGES = {"train": 1078, "validation": 270}  # of digits
SHAPE = {"classes": 10, "in_channels": 1, "size": 8}


def rows(device: torch.device, *, small: bool) -> Iterator[dict[str, Any]]:
    """Yield runs an hour for each number of processes."""
    counts, seconds, scales = ((1, 2), 1.0, grid()[:2]) if small else ((1, 4, 8, 16), 30.0, grid())
    for scale in scales:  # once here, because solving for a width takes longer than an epoch
        scale["width"] = width_for(scale, **SHAPE)
    runs = len(grid()) * seeds()
    for count in counts:
        start = time.perf_counter()
        workers = [start_worker(device, index, scales, seconds) for index in range(count)]
        answers = [worker.stdout.readline() for worker in workers]
        started = time.perf_counter() - start
        for worker in workers:
            if worker.poll() is None:
                worker.stdin.write("go\n")
                worker.stdin.flush()
        answers = [worker.communicate()[0] for worker in workers]
        row: dict[str, Any] = {"processes": count}
        if failed := [worker.returncode for worker in workers if worker.returncode]:
            yield row | {"runs an hour": f"failed: {len(failed)} of {count} processes ended with {failed[0]}"}
            continue
        epochs = sum(answer["epochs"] / answer["seconds"] for answer in map(json.loads, answers))
        hourly = 3600 * epochs / recipe()["epochs"]
        whole = f"{60 * runs / hourly:.1f} min"
        yield row | {"runs an hour": round(hourly), f"grid of {runs} runs": whole, "start-up": f"{started:.0f} s"}


def start_worker(device: torch.device, index: int, scales: list[dict[str, Any]], seconds: float) -> subprocess.Popen:
    command = [sys.executable, *sys.orig_argv[1 : sys.orig_argv.index(sys.argv[0])], str(Path(__file__).parent)]
    given = json.dumps({"device": str(device), "index": index, "scales": scales, "seconds": seconds})
    return subprocess.Popen([*command, "--worker", given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def work(given: dict[str, Any]) -> None:
    """Train as one of the processes; print the number of epochs."""
    torch.set_num_threads(1)
    torch.backends.cudnn.deterministic = True  # as `lowparam train` has it
    device, data = torch.device(given["device"]), digits()
    trainings = []
    for scale in given["scales"]:
        torch.manual_seed(0)
        skeleton = {key: scale[key] for key in ("probe", "depth", "divisor")} | {"minimum": scale["minimum_width"]}
        net = controlled.build(scale["architecture"], scale["width"], **SHAPE, **skeleton)
        trainings.append(Training(net, data, Recipe(**recipe()), seed=0, device=device))
    random.Random(given["index"]).shuffle(trainings)
    trainings[0].run_epoch()
    print("ready", flush=True)
    sys.stdin.readline()
    start, epochs = time.perf_counter(), 0
    while not epochs or time.perf_counter() - start < given["seconds"]:
        trainings[epochs % len(trainings)].run_epoch()
        epochs += 1
    print(json.dumps({"epochs": epochs, "seconds": time.perf_counter() - start}))


def digits() -> Dataset:
    """Return random images, as many and as large as digits."""
    draw = torch.Generator().manual_seed(0)

    def split(count: int) -> Images:
        pixels = torch.randint(0, 17, (count, 1, 8, 8), generator=draw, dtype=torch.uint8)
        return Images(pixels, torch.randint(0, 10, (count,), generator=draw))

    parts = [split(IMAGES["train"]), split(IMAGES["validation"]), split(IMAGES["validation"])]
    return Dataset(*parts, [str(digit) for digit in range(10)], torch.tensor([4.9]), torch.tensor([6.0]))
