import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lowparam.training.losses import bias


class Given(nn.Module):
    """A network whose last map is its image, and whose logits are given."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.stages, self.logits = nn.Identity(), nn.Parameter(logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.stages(x)
        return self.logits


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


LABELS = torch.tensor([0, 2, 1, 2, 0])
MIXED = torch.softmax(random(5, 3, seed=9), 1)


def loss(maps: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor = LABELS, **options: float) -> torch.Tensor:
    net = Given(logits)
    made = bias.make_for_network(net, **options)
    return made(net(maps), targets)


def test_weights_are_those_of_the_hand_example():
    maps = torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0], [0.0, math.sqrt(3), 2 * math.sqrt(3)]])[..., None, None]
    assert maps.flatten(1).var(1).tolist() == pytest.approx([0, 1, 3])
    assert bias.weights(maps, 0.3, 0.3).tolist() == pytest.approx([0.3, 0.4052, 0.6499], abs=5e-5)


def test_the_loss_is_the_mean_of_weighted_cross_entropies_without_division_by_the_weights():
    maps, logits = random(5, 4, 3, 3), random(5, 3, seed=1)
    z = bias.weights(maps, 0.3, 0.3)
    own = [-logits.log_softmax(1)[row, label] for row, label in enumerate(LABELS)]
    expected = sum(weight * each for weight, each in zip(z, own, strict=True)) / 5
    assert loss(maps, logits).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("targets", [LABELS, MIXED], ids=["labels", "mixed"])
def test_alpha_1_and_beta_0_are_cross_entropy_and_equal_maps_give_alpha_times_it(targets):
    logits, plain = random(5, 3, seed=1), F.cross_entropy(random(5, 3, seed=1), targets, label_smoothing=0.1)
    same = loss(random(5, 4, 3, 3), logits, targets, alpha=1.0, beta=0.0, label_smoothing=0.1)
    assert same.item() == pytest.approx(plain.item())
    equal = loss(random(1, 4, 3, 3).expand(5, -1, -1, -1), logits, targets, label_smoothing=0.1)
    assert equal.item() == pytest.approx(0.3 * plain.item())


def test_the_control_has_the_same_mean_weight_and_no_variance():
    maps, logits = random(5, 4, 3, 3), random(5, 3, seed=1)
    expected = bias.weights(maps, 0.3, 0.3).mean() * F.cross_entropy(logits, LABELS)
    assert loss(maps, logits, even=1.0).item() == pytest.approx(expected.item())
    assert loss(maps, logits).item() != pytest.approx(expected.item(), rel=1e-3)


def test_the_gradient_is_that_of_finite_differences_and_none_reaches_the_map():
    maps, logits = random(5, 4, 3, 3).requires_grad_(), random(5, 3, seed=1).requires_grad_()
    made = bias.make_for_network(net := Given(logits.detach()))

    def of(logits: torch.Tensor) -> torch.Tensor:
        net(maps)
        return made(logits, LABELS)

    assert torch.autograd.gradcheck(of, logits)
    of(logits).backward()
    assert maps.grad is None
