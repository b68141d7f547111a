import os
import subprocess
import sys

import pytest

from lowparam.training.malloc import tune_malloc

SCRIPT = """
import resource, sys, torch
from itertools import islice
from lowparam.data import Dataset, Images
from lowparam.models import network_for
from lowparam.params import Recipe
from lowparam.training.loop import Training

torch.set_num_threads(1)
random = torch.Generator().manual_seed(0)
def images(count):
    pixels = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=random)
    return Images(pixels, torch.randint(0, 10, (count,), generator=random))
classes = [str(digit) for digit in range(10)]
data = Dataset(images(60_000), images(100), images(10_000), classes, torch.tensor([127.0]), torch.tensor([74.0]))
spec = {"mode": "controlled", "architecture": sys.argv[1], "probe": "none", "budget": int(sys.argv[2]),
        "counting": "total", "depth": 2, "divisor": 1, "minimum_width": 4}
recipe = Recipe.model_validate({"epochs": 1, "batch_size": 128, "lr": 0.01, "ema": 0.9,
                                "augment": {"crop_padding": 2, "flip": True, "cutout": 8, "mixup": 0.2}})
training = Training(network_for(spec, classes=10, in_channels=1, size=28), data, recipe, seed=0,
                    device=torch.device("cpu"))
batches = training.training_batches
training.training_batches = lambda random: islice(batches(random), 10)  # memory no longer grows after a few steps
training.run_epoch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
LARGEST = ["mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext", "nodepth_a"]


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["100000", "250000"])
@pytest.mark.parametrize("architecture", LARGEST)
def test_training_on_sixty_thousand_images_stays_under_a_gigabyte_and_a_half(architecture, budget):
    """In a process of its own as `lowparam train` starts it, torch included."""
    command = [sys.executable, "-c", SCRIPT, architecture, budget]
    environment = {**os.environ, "THP_MEM_ALLOC_ENABLE": "1"}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert 0.3e9 < float(output) < 1.5e9


FAULTS = """
import ctypes, resource, sys, torch
from lowparam.training.malloc import KEPT, tune_malloc

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: pages are as many as the system has large ones free

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.empty(2**21).fill_(1.0)  # 8 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

tune_malloc(KEPT if sys.argv[1] == "much" else KEPT - 1)
faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_little_memory_is_kept_and_much_is_given_back():
    """Counted in pages that a new process takes from the system while maps come and go."""
    taken = {
        amount: int(subprocess.run([sys.executable, "-c", FAULTS, amount], capture_output=True, check=True).stdout)
        for amount in ("little", "much")
    }
    assert taken["little"] < 100 and taken["much"] > 20_000


def test_another_system_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "platform", "plan9")
    monkeypatch.setattr("ctypes.CDLL", lambda *_: pytest.fail("loaded a C library"))
    tune_malloc(0)
