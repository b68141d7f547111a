import pytest
import torch

from lowparam import data, paths
from lowparam.data import Images
from lowparam.data.sources import digits
from lowparam.params import Run
from lowparam.training.train_scale import train_scale
from quick import make_params


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with prepared digits and a short run on them, and the run's folder in it."""
    everything, classes = digits.read("digits", None)
    images = everything["all"]
    splits = {"train": slice(0, 400), "validation": slice(400, 500), "test": slice(500, 700)}
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        arrays = {name: Images(images.pixels[rows], images.labels[rows]) for name, rows in splits.items()}
        data.save(paths.data("digits"), arrays, classes)
        params = make_params(seeds=(0,), architectures=("mobilenetv2",), epochs=6)
        train_scale(params, params.scales("quick")[0], data_folder=paths.data("digits"))
    return folder, Run(params.scales("quick")[0], 0).folder


@pytest.fixture
def digit_images():
    """200 real digits as networks take them, float32 (200, 1, 8, 8)."""
    everything, _ = digits.read("digits", None)
    pixels = everything["all"].pixels[:200].float()
    return (pixels - pixels.mean()) / pixels.std()


@pytest.fixture
def lived_in():
    """Give the norms of a network statistics of images, which a fold has to get right."""

    def live(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
        with torch.no_grad():
            for _ in range(3):
                net.train()(images)
            for module in net.modules():
                if getattr(module, "affine", False):
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.uniform_(-0.5, 0.5)
        return net.eval()

    return live
