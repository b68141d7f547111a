import pytest
import torch

from lowparam.data.sources import digits
from trained_run import make_trained


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with prepared digits and a short run on them, and the run's folder in it."""
    return make_trained(tmp_path_factory.mktemp("trained"))


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
