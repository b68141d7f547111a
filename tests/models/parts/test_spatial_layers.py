"""Padé neurons, Gram-KAN and the spiral shift: special cases, closed forms and counts."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from lowparam.models.parts import kan, pade, paon, spiral
from lowparam.models.skeletons.controlled import build

IMAGES = {"classes": 10, "in_channels": 1, "size": 8}


@pytest.mark.parametrize("stride", [1, 2])
def test_a_pade_neuron_begins_at_half_of_a_convolution_and_twice_its_constant(stride):
    layer, x = paon.make(4, 3, stride), torch.randn(2, 4, 7, 7)
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    conv = F.conv2d(padded, layer.numerator.weight, stride=stride, groups=4)
    torch.testing.assert_close(layer(x), (conv + 2 * layer.constant) / 2)
    assert sum(p.numel() for p in layer.parameters()) == 2 * 9 * 4 + 4


def test_a_pade_activation_is_the_rational_function_and_stays_finite():
    act, x = pade.make(3), 1e4 * torch.randn(2, 3, 4, 4)
    for parameter in act.parameters():
        nn.init.normal_(parameter)
    w, v = (conv.weight.detach().numpy().reshape(3, 1, 1) for conv in (act.numerator, act.denominator))
    w0 = act.constant.detach().numpy()
    p, q = w0 + w * x.numpy(), 1 + v * x.numpy()
    np.testing.assert_allclose(act(x).detach().numpy(), (q * p + w0) / (q**2 + 1), rtol=1e-4)
    assert act(1e8 * x).isfinite().all()
    assert sum(p.numel() for p in act.parameters()) == 3 * 3


def test_no_activation_follows_a_pade_neuron_and_all_others_stay():
    net = build("mobilenetv2+paon", 8.0, **IMAGES)
    blocks = [block for row in net.stages for block in row]
    assert all(isinstance(block.depthwise.act, nn.Identity) for block in blocks)
    assert all(isinstance(block.expand.act, nn.ReLU6) for block in blocks)
    assert all(isinstance(block.depthwise.norm, nn.BatchNorm2d) for block in blocks)


@pytest.mark.parametrize("stride", [1, 2])
def test_gram_kan_without_polynomials_is_a_convolution_of_silu(stride):
    layer, x = kan.make(4, 3, stride), torch.randn(2, 4, 7, 7)
    nn.init.zeros_(layer.polynomial.weight)
    expected = F.conv2d(F.silu(x), layer.base.weight, stride=stride, padding=1, groups=4)
    torch.testing.assert_close(layer(x), expected)
    assert sum(p.numel() for p in layer.parameters()) == 9 * 4 * (1 + 4) + 4


def test_gram_polynomials_are_powers_without_their_learned_part_and_follow_the_recursion_with_it():
    layer, x = kan.make(4, 3, 1), torch.randn(2, 4, 5, 5)
    u = x.tanh()
    nn.init.zeros_(layer.beta)
    torch.testing.assert_close(layer.bases(x), torch.stack([u**i for i in range(4)], 2))
    with torch.no_grad():
        layer.beta.copy_(torch.tensor([9.0, 0.1, 0.2, 9.0]))
    second = u * u - 3 * 1 * 1 / (4 / 3) * 0.1
    third = u * second - 5 * 1 * 4 / (9 / 15) * 0.2 * u
    torch.testing.assert_close(layer.bases(x)[:, :, 2:], torch.stack([second, third], 2))


def test_every_kernel_of_gram_kan_reads_its_own_channel():
    layer, x = kan.make(4, 3, 1), torch.randn(2, 4, 5, 5)
    changed = x.clone()
    changed[:, 2] += 1
    same = (layer(changed) - layer(x)).abs().amax((0, 2, 3)) < 1e-6
    assert same.tolist() == [True, True, False, True]


def test_offsets_are_those_of_the_published_example():
    expected = [(0, 0)] * 3 + [(-1, 1), (-1, 0), (-1, -1), (0, -2), (1, -1)]
    expected += [(3, 0), (1, 1), (0, 2), (-1, 1), (-1, 0), (-1, -1), (0, 0), (0, 0)]
    assert spiral.offsets(16) == expected
    assert set(spiral.offsets(16, largest=0)) == {(0, 0)}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [16, 13])
def test_a_spiral_shift_is_a_deformable_convolution_of_one_position(channels, stride):
    x = torch.randn(2, channels, 8, 8)
    offset = torch.tensor(spiral.offsets(channels), dtype=torch.float).flatten()[None, :, None, None]
    size = 8 // stride
    expected = torchvision.ops.deform_conv2d(
        x, offset.expand(2, -1, size, size), torch.eye(channels)[:, :, None, None], stride=stride
    )
    torch.testing.assert_close(spiral.make(channels, 3, stride)(x), expected, rtol=0, atol=1e-6)
