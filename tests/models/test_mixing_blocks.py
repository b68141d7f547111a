"""Blocks that mix positions by convolution, shift or light attention, against formulas, special cases and libraries."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models import blocks
from lowparam.models.blocks.lsnet import Aggregation


def make_block(name: str, channels: int, after: int | None = None, *, stride: int = 1, **changes):
    torch.manual_seed(0)
    block, after = blocks.find(name), after or channels
    hidden = max(1, round(block.hidden_width(channels, after)))
    return block(channels, after, stride=stride, hidden=hidden, **changes).double()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.parametrize("c", [16, 32, 64])
def test_counts_of_lsnet_are_those_of_the_formula(c):
    block = make_block("lsnet", c)
    assert count(block.predict, block.norm) == 1.3125 * c**2 + 32.875 * c
    assert count(block) == 5.3125 * c**2 + 38.875 * c


def test_aggregation_with_ones_at_the_centre_taps_is_the_identity():
    x, taps = noise(2, 16, 5, 6), torch.zeros(2, 2, 9, 5, 6, dtype=torch.double)
    taps[:, :, 4] = 1
    torch.testing.assert_close(Aggregation()(x, taps.flatten(1, 2)), x)


@pytest.mark.parametrize("channels", [16, 13])
def test_aggregation_with_equal_taps_everywhere_is_a_convolution_that_ties_channels_apart_by_the_number_of_kernels(
    channels,
):
    x, kernels = noise(2, channels, 5, 6), noise(2, 9)
    taps = kernels.reshape(1, 18, 1, 1).expand(2, 18, 5, 6)
    weight = torch.stack([kernels[c % 2].reshape(1, 3, 3) for c in range(channels)])
    torch.testing.assert_close(Aggregation()(x, taps), F.conv2d(x, weight, padding=1, groups=channels))


def test_aggregation_and_its_gradients_equal_those_by_unfolding():
    x, taps = noise(2, 16, 4, 5).requires_grad_(), noise(2, 18, 4, 5).requires_grad_()
    patches = F.unfold(x, 3, padding=1).reshape(2, 8, 2, 9, 4, 5)  # kernel c mod 2 of channel c
    expected = (patches * taps.reshape(2, 1, 2, 9, 4, 5)).sum(3).reshape(2, 16, 4, 5)
    given = Aggregation()(x, taps)
    torch.testing.assert_close(given, expected)
    weights = noise(2, 16, 4, 5)
    ours, theirs = (torch.autograd.grad((y * weights).sum(), (x, taps)) for y in (given, expected))
    torch.testing.assert_close(ours, theirs)


def test_lsnet_passes_the_stream_where_its_last_norms_are_zero():
    block, x = make_block("lsnet", 16), noise(2, 16, 6, 6)
    for norm in (block.norm, block.mlp.norm_out):
        nn.init.zeros_(norm.weight)
    torch.testing.assert_close(block(x), x)
