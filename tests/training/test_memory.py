import subprocess
import sys

import pytest

SCRIPT = """
import resource, torch
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
spec = {"mode": "controlled", "architecture": "mobilenetv2", "activation": "base", "budget": 100_000,
        "counting": "total", "depth": 2, "divisor": 1, "minimum_width": 4}
recipe = Recipe.model_validate({"epochs": 1, "batch_size": 128, "lr": 0.01, "ema": 0.9,
                                "augment": {"crop_padding": 2, "flip": True, "cutout": 8, "mixup": 0.2}})
training = Training(network_for(spec, classes=10, in_channels=1, size=28), data, recipe, seed=0,
                    device=torch.device("cpu"))
batches = training.training_batches
training.training_batches = lambda random: islice(batches(random), 10)  # memory no longer grows after a few steps
training.run_epoch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_training_on_sixty_thousand_images_stays_under_a_gigabyte_and_a_half():
    """In a process of its own, torch included."""
    output = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stdout
    assert 300 < float(output) < 1500
