import copy

import pytest
import torch
from torch import nn

from lowparam.models.layers.fast import DepthwiseConv2d, PointwiseConv2d, accelerate
from lowparam.models.skeletons.controlled import build


def outputs(module, x, grad):
    y = module(x)
    return [y, *torch.autograd.grad(y, [x, *module.parameters()], grad)]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 14])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_depthwise_convolution_and_its_gradients_are_those_of_torch(kernel, stride, size):
    torch.manual_seed(0)
    plain = nn.Conv2d(5, 5, kernel, stride, kernel // 2, groups=5, dtype=torch.float64)
    fast = copy.deepcopy(plain)
    accelerate(fast)
    assert isinstance(fast, DepthwiseConv2d)
    x = torch.randn(3, 5, size, size, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    grad = torch.randn_like(plain(x))
    for ours, theirs in zip(outputs(fast, x, grad), outputs(plain, x, grad), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_pointwise_convolution_and_its_gradients_are_those_of_torch(bias):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 9, 1, bias=bias, dtype=torch.float64)
    fast = copy.deepcopy(plain)
    accelerate(fast)
    assert isinstance(fast, PointwiseConv2d)
    x = torch.randn(3, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    grad = torch.randn_like(plain(x))
    for ours, theirs in zip(outputs(fast, x, grad), outputs(plain, x, grad), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_other_convolutions_stay_as_they_are():
    others = nn.Sequential(
        nn.Conv2d(4, 8, 3),
        nn.Conv2d(4, 8, 1, stride=2),
        nn.Conv2d(4, 8, 1, groups=2),
        nn.Conv2d(4, 8, 3, padding=1, groups=4),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4),
    )
    accelerate(others)
    assert all(type(module) is nn.Conv2d for module in others)


def test_a_network_keeps_its_names_sites_and_weights():
    net = build("mobilenetv3", 8.0, classes=10, in_channels=1, size=8)
    names, sites = {name: value.clone() for name, value in net.state_dict().items()}, list(net.sites())
    accelerate(net)
    assert list(net.sites()) == sites
    assert all(torch.equal(value, names[name]) for name, value in net.state_dict().items())
