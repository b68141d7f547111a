import math

import pytest
import torch
import torch.nn.functional as F

from lowparam.interference.measures import coding_rate
from lowparam.training.losses.rate_reduction import reduction


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    return F.one_hot(labels, classes).double()


def test_classes_on_orthogonal_lines_have_the_closed_form_and_equal_classes_none():
    labels = torch.arange(50) % 10
    lines = 7 * torch.eye(32).double()[labels]
    expected = 10 / 2 * math.log(1 + 32 / (10 * 0.5)) - math.log(1 + 32 / 0.5) / 2
    assert reduction(lines, one_hot(labels, 10)).item() == pytest.approx(expected) == pytest.approx(7.9202, abs=5e-5)
    assert reduction(torch.ones(50, 32).double(), one_hot(labels, 10)).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("channels", [5, 40])
def test_it_is_the_share_that_is_measured_times_the_rate(channels):
    maps, labels = random(30, channels), torch.arange(30) % 3
    unit = F.normalize(maps, dim=1)
    by_class = torch.stack([unit[labels == label].T @ unit[labels == label] for label in range(3)])
    expected = coding_rate.reduction(by_class) * coding_rate.rate(by_class.sum(0), torch.tensor(30.0).double())
    assert reduction(maps, one_hot(labels, 3)).item() == pytest.approx(expected.item())


def test_a_rotation_changes_nothing_and_a_class_without_images_adds_nothing():
    maps, labels = random(12, 6), torch.arange(12) % 3
    value = reduction(maps, one_hot(labels, 3)).item()
    rotation = torch.linalg.qr(random(6, 6, seed=1)).Q
    assert reduction(maps @ rotation, one_hot(labels, 3)).item() == pytest.approx(value)
    assert reduction(maps, one_hot(labels, 5)).item() == pytest.approx(value)


def test_images_that_belong_to_all_classes_alike_have_none_and_mixing_lowers_it():
    maps, shares = random(12, 6), one_hot(torch.arange(12) % 3, 3)
    uniform = torch.full_like(shares, 1 / 3)
    assert reduction(maps, uniform).item() == pytest.approx(0, abs=1e-9)
    assert 0 < reduction(maps, 0.5 * shares + 0.5 * uniform) < reduction(maps, shares)


@pytest.mark.parametrize("channels", [4, 9])
def test_the_gradient_is_that_of_finite_differences(channels):
    shares = torch.softmax(random(6, 3, seed=1), 1)
    assert torch.autograd.gradcheck(lambda maps: reduction(maps, shares), random(6, channels).requires_grad_())
