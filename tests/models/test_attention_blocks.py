"""Blocks with attention against their formulas and special cases."""

import pytest
import torch
from torch import nn

from lowparam.models import blocks, network_for
from lowparam.models.blocks.crate import SubspaceAttention
from lowparam.models.blocks.van import LargeKernelAttention
from lowparam.models.make import Make
from lowparam.models.skeletons import published


def make_block(name: str, channels: int, **changes):
    torch.manual_seed(0)
    block = blocks.find(name)
    hidden = round(block.hidden_width(channels, channels))
    return block(channels, channels, stride=1, hidden=hidden, **changes).double()


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("c", [8, 16, 20])
def test_counts_are_those_of_the_formulas(c):
    assert count(make_block("van", c)) == (3 + 2 * 4) * c**2 + (86 + 11 * 4) * c
    assert count(make_block("crate", c)) == 3 * c**2 + 5 * c


@pytest.mark.parametrize(("name", "total"), [("van_b0", 4_105_800), ("van_b1", 13_861_800), ("van_b2", 26_578_472)])
def test_published_networks_have_the_published_counts(name, total):
    with torch.device("meta"):
        assert count(published.build(name, classes=1000, in_channels=3, size=224)) == total


def attention(channels=6):
    make = Make().bind(blocks.find("van").defaults)
    return LargeKernelAttention(channels, make).double()


def test_large_kernel_attention_with_zero_weights_and_a_bias_of_one_is_the_identity():
    layer, u = attention(), torch.randn(2, 6, 9, 9, dtype=torch.double)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    nn.init.ones_(layer.mix.bias)
    torch.testing.assert_close(layer(u), u)


def test_large_kernel_attention_without_biases_is_quadratic():
    layer, u = attention(), torch.randn(2, 6, 9, 9, dtype=torch.double)
    for module in (layer.near, layer.far, layer.mix):
        nn.init.zeros_(module.bias)
    torch.testing.assert_close(layer(2 * u), 4 * layer(u))


def test_large_kernel_attention_sees_23_by_23_positions():
    layer = attention(1)
    for module in (layer.near, layer.far):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    impulse = torch.zeros(1, 1, 41, 41, dtype=torch.double)
    impulse[..., 20, 20] = 1
    seen = layer.far(layer.near(impulse))[0, 0] != 0
    assert seen.sum() == 23**2
    assert seen[9:32, 9:32].all()


def test_the_van_block_without_factors_passes_the_stream():
    block, x = make_block("van", 8), torch.randn(2, 8, 6, 6, dtype=torch.double)
    for scale in (block.scale_attention, block.scale_hidden):
        nn.init.zeros_(scale.gamma)
    torch.testing.assert_close(block(x), x)


def test_the_code_of_crate_with_the_identity_as_dictionary_only_shrinks():
    block, x = make_block("crate", 8), torch.randn(2, 8, 5, 5, dtype=torch.double)
    nn.init.dirac_(block.dictionary.weight)
    z = x + block.write(block.attention(block.subspaces(block.norm_attention(x))))
    torch.testing.assert_close(block(x), (block.norm_coding(z) - 0.01).relu())


def test_the_step_of_crate_is_that_of_the_formula():
    block, x = make_block("crate", 8), torch.randn(1, 8, 1, 1, dtype=torch.double)
    z = x + block.write(block.attention(block.subspaces(block.norm_attention(x))))
    y, d = block.norm_coding(z).flatten(), block.dictionary.weight[..., 0, 0]
    expected = (y + 0.1 * (d.T @ y - d.T @ d @ y) - 0.01).relu()
    torch.testing.assert_close(block(x).flatten(), expected)


def test_the_stream_of_crate_is_never_negative_and_forgets_the_order_of_positions():
    block, x = make_block("crate", 10), torch.randn(2, 10, 4, 4, dtype=torch.double)
    order = torch.randperm(16)
    permuted = x.flatten(2)[..., order].reshape(x.shape)
    code = block(x)
    assert code.min() >= 0
    torch.testing.assert_close(block(permuted), code.flatten(2)[..., order].reshape(x.shape))


def test_subspace_attention_is_softmax_of_inner_products():
    u = torch.randn(1, 6, 2, 2, dtype=torch.double)
    mixed = SubspaceAttention(2)(u)
    for head in (slice(0, 3), slice(3, 6)):
        tokens = u[0, head].flatten(1).T
        expected = (tokens @ tokens.T / 3**0.5).softmax(dim=1) @ tokens
        torch.testing.assert_close(mixed[0, head].flatten(1).T, expected)


@pytest.mark.parametrize("name", ["van", "crate"])
@pytest.mark.parametrize(("size", "budget"), [(8, 25_000), (32, 100_000)])
def test_they_meet_a_budget_in_the_skeleton(name, size, budget):
    spec = {"mode": "controlled", "architecture": name, "probe": "none", "budget": budget, "counting": "total"}
    spec |= {"depth": 2, "divisor": 1, "minimum_width": 4}
    net = network_for(spec, classes=10, in_channels=3, size=size)
    assert abs(count(net) / budget - 1) <= 0.02
    assert net(torch.randn(2, 3, size, size)).shape == (2, 10)
