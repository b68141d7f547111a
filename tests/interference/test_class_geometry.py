"""Class geometry: exact values of simplices and frames, the floor that few channels force, and shuffled labels."""

import math

import pytest
import torch
from torch import nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import GivenImages
from lowparam.interference.measures.class_geometry import forced_nc2, measure, nc1, nc2
from lowparam.models.blocks import Site
from lowparam.params import Profile


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sums(x: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    hot = nn.functional.one_hot(labels).double()
    return hot.sum(0), hot.T @ x, x.T @ x


@pytest.mark.parametrize("channels", [9, 10, 20])
def test_a_simplex_has_nc2_zero_whatever_its_scale_and_rotation(channels):
    vectors = torch.linalg.svd(torch.eye(10).double() - 0.1).Vh[:9]  # 10 points in 9 dimensions
    simplex = 7 * vectors.T @ torch.linalg.qr(random(channels, 9)).Q.T
    assert nc2(simplex).item() == pytest.approx(0, abs=1e-12)


def test_few_channels_force_nc2():
    for classes, channels in ((10, 5), (100, 32), (100, 64)):
        flat = torch.linalg.svd(torch.eye(classes).double() - 1 / classes).Vh[:channels].T
        assert nc2(flat).item() == pytest.approx(forced_nc2(classes, channels), abs=1e-9)
        assert nc2(random(classes, channels)).item() > forced_nc2(classes, channels)
    assert forced_nc2(10, 5) == pytest.approx(0.714, abs=5e-4)
    assert forced_nc2(100, 32) == pytest.approx(0.929, abs=5e-4)
    assert forced_nc2(10, 9) == 0


def test_nc1_of_shifted_noise_is_known_and_does_not_depend_on_scale_and_rotation():
    labels = torch.arange(50_000) % 10
    x = random(50_000, 32) + 5 * nn.functional.one_hot(labels, 32).double()
    assert nc1(*sums(x, labels)) == pytest.approx(0.36, abs=0.01)  # 9 directions of variance 1 over 25 / 10, over 10
    rotated = 3 * x @ torch.linalg.qr(random(32, 32, seed=1)).Q
    assert nc1(*sums(rotated, labels)) == pytest.approx(nc1(*sums(x, labels)), rel=1e-6)


def test_nc1_in_as_many_channels_as_the_means_need_does_not_depend_on_any_linear_map():
    labels = torch.arange(2_000) % 10
    x = random(2_000, 9) + 5 * nn.functional.one_hot(labels, 10).double()[:, :9]
    assert nc1(*sums(x @ random(9, 9, seed=1), labels)) == pytest.approx(nc1(*sums(x, labels)), rel=1e-6)


def test_nc1_of_equal_class_means_is_undefined():
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    x = torch.tensor([[1.0, 0], [-1, 0]] * 3).double()
    assert math.isnan(nc1(*sums(x, labels)))


class Streams(nn.Module):
    """Three streams of which each adds the same map again: class means grow, the noise stays."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Identity() for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        noise, signal = x.chunk(2, 1)
        for number, module in enumerate(self.maps):
            y = module(noise + 10.0**number * signal)
        return y.mean((2, 3))


@pytest.fixture(scope="module")
def profile() -> dict[str, list]:
    labels = torch.arange(600) % 5
    signal = nn.functional.one_hot(labels, 8)[:, :, None, None].expand(-1, -1, 2, 2).float()
    noise = torch.randn(600, 8, 1, 1, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 2, 2)
    net = Streams()
    net.register_parameter("device", nn.Parameter(torch.zeros(1)))
    sites = {f"{number}.stream": Site("stream", module) for number, module in enumerate(net.maps)}
    images = GivenImages(torch.cat([noise, signal], 1), labels, list("abcde"))
    settings = Profile(measures=["class_geometry"], folds=10)
    values: dict[str, list] = {}
    for value in measure(Context(net, sites, images, settings)):
        values.setdefault(value.measure, []).append(value)
    return values


def test_what_separates_by_a_constant_factor_has_that_rate(profile):
    assert profile["separation_rate"][0].value == pytest.approx(-2, abs=0.06)  # variance between classes times 100


def test_labels_of_chance_are_the_null_and_grow_with_the_images_of_a_class(profile):
    last = profile["log_nc1"][-1]
    assert last.lower < last.value < last.upper
    assert last.null > last.value + 3
    # Means of n images vary by 1 / n of the variance within classes: M M' is a Wishart matrix of C degrees of freedom
    # in K - 1 dimensions over n, whose inverse has the mean n / (C - K).
    labels = torch.arange(1_000) % 10
    drawn = [nc1(*sums(random(1_000, 32, seed=seed), labels)) for seed in range(40)]
    assert sum(drawn) / 40 == pytest.approx(9 * 100 / (32 - 10), rel=0.1)


def test_equally_spaced_classes_approach_a_simplex(profile):
    distances = [value.value for value in profile["nc2"]]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.01
    assert all(
        value.null == pytest.approx(nc2(random(500, 5, 8, seed=3)).mean().item(), abs=0.03) for value in profile["nc2"]
    )
    assert all(value.value == 0 for value in profile["nc2_floor"])
