"""PReLU: its special cases, its gradient, its counts, and an initialisation that keeps the variance."""

import math

import pytest
import torch
from torch import nn

from lowparam.models.cost import count_parameters
from lowparam.models.layers import rectifier_normal
from lowparam.models.parts import prelu, prelu_shared
from lowparam.models.skeletons import controlled, published
from lowparam.params import Recipe
from lowparam.training.optimizer import make_optimizer

IMAGES = {"classes": 10, "in_channels": 1, "size": 8}


@pytest.mark.parametrize("part", [prelu, prelu_shared])
@pytest.mark.parametrize(
    ("slope", "plain"),
    [(0.0, nn.ReLU()), (0.01, nn.LeakyReLU(0.01)), (1.0, nn.Identity())],
    ids=str,
)
def test_constant_slopes_are_a_plain_activation(part, slope, plain):
    act, x = part.make(5), torch.randn(2, 5, 4, 4)
    nn.init.constant_(act.weight, slope)
    torch.testing.assert_close(act(x), plain(x), rtol=0, atol=1e-6)


def test_a_network_with_slopes_of_0_is_that_with_relu():
    net = controlled.build("mobilenetv2+prelu", 8.0, **IMAGES).eval()
    plain = controlled.build("mobilenetv2+relu", 8.0, **IMAGES).eval()
    slopes = {name for name, _ in net.named_parameters() if name.endswith("act.weight")}
    plain.load_state_dict({name: value for name, value in net.state_dict().items() if name not in slopes})
    for name, parameter in net.named_parameters():
        if name in slopes:
            nn.init.zeros_(parameter)
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(net(images), plain(images), rtol=0, atol=1e-6)


def test_the_gradient_of_a_slope_is_the_sum_over_its_positions():
    act, x, weights = prelu.make(3), torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    (weights * act(x)).sum().backward()
    torch.testing.assert_close(act.weight.grad, (weights * x.clamp(max=0)).sum((0, 2, 3)))


def test_one_slope_a_channel_or_one_a_layer_is_added():
    def count(part):
        return count_parameters(controlled.build(f"mobilenetv2+{part}", 8.0, **IMAGES)).total

    hidden = [48, 48, 48, 96, 96, 192]  # six blocks; twice each
    assert count("prelu") - count("relu") == 2 * sum(hidden)
    assert count("prelu_shared") - count("relu") == 2 * len(hidden)


def test_slopes_do_not_decay():
    net = controlled.build("mobilenetv2+prelu", 8.0, **IMAGES)
    _, still = make_optimizer(net, Recipe(epochs=1, batch_size=1, lr=0.1)).param_groups
    assert still["weight_decay"] == 0
    slopes = [module.weight for module in net.modules() if isinstance(module, nn.PReLU)]
    assert len(slopes) == 12
    assert all(any(slope is each for each in still["params"]) for slope in slopes)


@pytest.mark.parametrize(
    "build",
    [
        lambda name: controlled.build(f"mobilenetv2+{name}", 32.0, **IMAGES),
        lambda name: published.build(f"convnext_w24+{name}", classes=10, in_channels=3, size=32),
    ],
    ids=["controlled", "published"],
)
@pytest.mark.parametrize("name", ["prelu", "prelu_shared"])
def test_convolutions_of_the_blocks_begin_with_the_variance_for_their_slope(build, name):
    net = build(name)
    made = [module for module in net.modules() if hasattr(module, "role")]
    assert made
    for conv in made:
        expected = math.sqrt(2 / (1 + 0.25**2) / conv.weight[0].numel())
        tolerance = 6 / math.sqrt(2 * conv.weight.numel())  # standard errors of a standard deviation
        assert conv.weight.std().item() == pytest.approx(expected, rel=tolerance)
        assert conv.bias is None or not conv.bias.any()
    inner = {parameter for module in made for parameter in module.parameters()}
    assert any(isinstance(module, nn.Conv2d) and module.weight not in inner for module in net.stem.modules())


def test_the_initialisation_keeps_the_variance_of_twenty_layers():
    torch.manual_seed(0)
    layers = [nn.Conv2d(256, 256, 1) for _ in range(20)]
    for layer in layers:
        rectifier_normal(layer, 0.25)
    x = torch.randn(64, 256, 2, 2)
    act = prelu.make(256)
    with torch.no_grad():
        y = layers[0](x)
        first = y.var()
        for layer in layers[1:]:
            y = layer(act(y))
    assert 0.5 < (y.var() / first).item() < 2
