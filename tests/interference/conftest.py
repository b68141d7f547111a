import pytest
import torch

from lowparam.data import Dataset, Images
from lowparam.data.prepare import divide
from lowparam.data.sources import digits as source
from lowparam.interference.norm_statistics import recalibrate
from lowparam.models import network_for
from lowparam.params import Data, Split


@pytest.fixture(scope="session")
def digits() -> Dataset:
    data = Data(source="digits", split=Split(train=0.6, validation=0.15, test=0.25, seed=0))
    splits, classes = source.read("digits", data)
    splits = divide("digits", splits, data)
    std, mean = torch.std_mean(splits["train"].pixels.double(), dim=(0, 2, 3), correction=0)
    return Dataset(**splits, classes=classes, mean=mean.float(), std=std.float())


def make_noise(images: int, *, classes: int = 4, channels: int = 1, size: int = 8, seed: int = 0) -> Dataset:
    """Noise of which half is held out, with labels in turn."""
    generator = torch.Generator().manual_seed(seed)

    def split(count: int) -> Images:
        pixels = torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)
        return Images(pixels, torch.arange(count) % classes)

    splits = {"train": split(images), "validation": split(images - images // 2), "test": split(images // 2)}
    return Dataset(
        **splits,
        classes=[str(k) for k in range(classes)],
        mean=torch.full((channels,), 127.5),
        std=torch.full((channels,), 73.9),
    )


@pytest.fixture(scope="session")
def noise():
    return make_noise


def make_untrained(architecture: str, dataset: Dataset, *, budget: int = 10_000, seed: int = 0, probe: str = "none"):
    """A controlled network at its initialisation, its norms recalibrated."""
    spec = {
        "mode": "controlled",
        "architecture": architecture,
        "probe": probe,
        "budget": budget,
        "counting": "total",
        "depth": 2,
        "divisor": 1,
        "minimum_width": 4,
    }
    torch.manual_seed(seed)
    net = network_for(spec, classes=len(dataset.classes), in_channels=dataset.in_channels, size=dataset.size)
    recalibrate(net, dataset)
    return net


@pytest.fixture(scope="session")
def untrained():
    return make_untrained
