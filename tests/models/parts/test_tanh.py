import pytest
import torch
from torch import nn

from lowparam.models.parts import tanh, tanh_shaped
from lowparam.models.skeletons.controlled import build


def gradient_growth(depth: int, exponent: float | None) -> float:
    """Return the ratio of the gradients of the first and the last layer in a plain network of linear layers."""
    torch.manual_seed(0)
    make = tanh.make if exponent is None else tanh_shaped.make
    layers = [nn.Sequential(nn.Linear(32, 32, bias=False), nn.BatchNorm1d(32), make(32)) for _ in range(depth)]
    net = nn.Sequential(*layers).double()
    for layer in layers:
        nn.init.orthogonal_(layer[0].weight)
    if exponent is not None:
        tanh_shaped.finish(net, exponent)
    net(torch.randn(32, 32).double()).mul(torch.randn(32, 32).double()).sum().backward()
    return (layers[0][0].weight.grad.norm() / layers[-1][0].weight.grad.norm()).item()


def test_gains_fall_with_the_place_in_the_network():
    net = build("mobilenetv1+tanh_shaped", 4.0, classes=10, in_channels=1, size=8)
    gains = [module.gain for module in net.modules() if isinstance(module, tanh_shaped.ShapedTanh)]
    assert gains == [pytest.approx((layer + 1) ** -0.4) for layer in range(12)]  # two in each of six blocks


def test_an_exponent_of_0_is_tanh():
    shaped, plain = (
        build(f"mobilenetv2+{part}", 4.0, classes=10, in_channels=1, size=8).eval() for part in ("tanh_shaped", "tanh")
    )
    shaped.load_state_dict(plain.state_dict())
    images = torch.randn(2, 1, 8, 8)
    assert not torch.allclose(shaped(images), plain(images))
    tanh_shaped.finish(shaped, 0.0)
    assert torch.equal(shaped(images), plain(images))


def test_shaping_keeps_gradients_of_deep_networks_with_batch_norm_from_exploding():
    plain, shaped = gradient_growth(60, None), gradient_growth(60, -0.4)
    assert gradient_growth(60, 0.0) == pytest.approx(plain)
    assert plain > 50 and shaped < 3
