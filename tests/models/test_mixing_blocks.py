"""Blocks that mix positions by convolution, shift or light attention, against formulas, special cases and libraries."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models import blocks
from lowparam.models.blocks.lsnet import Aggregation
from lowparam.models.blocks.swiftformer import AdditiveAttention, ConvEncoder, GlobalQuery
from lowparam.models.layers.split import ChannelShuffle, FirstHalf, SecondHalf
from lowparam.models.make import Make
from lowparam.models.skeletons import published

TOTALS = {  # of the papers' code, with 1000 classes
    "swiftformer_xs": 3_475_360 - 221_000,  # the classifier for distillation
    "swiftformer_s": 6_092_128 - 225_000,
    "swiftformer_l1": 12_057_920 - 385_000,
    "shuffleunit_x0.5": 1_366_792,
    "shuffleunit_x1.0": 2_278_604,
}
NAMES = ("lsnet", "swiftformer_encoder", "shuffleunit", "ccw_single")


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


@pytest.mark.parametrize("c", [16, 32])
def test_counts_of_swiftformer_are_those_of_the_formulas(c):
    block = make_block("swiftformer_encoder", c)
    assert count(block) == 14 * c**2 + 29 * c
    assert count(block.attention, block.scale_attention) == 4 * c**2 + 6 * c
    assert count(ConvEncoder(c, c, stride=1, hidden=4 * c)) == 8 * c**2 + 18 * c


def attention(channels: int) -> nn.Module:
    torch.manual_seed(0)
    return AdditiveAttention(Make().bind(blocks.find("swiftformer_encoder").defaults), channels).double()


def test_additive_attention_commutes_with_permutations_of_positions():
    layer, x, order = attention(6), noise(2, 6, 4, 5), torch.randperm(20)
    permuted = layer(x.flatten(2)[..., order].reshape(x.shape))
    torch.testing.assert_close(permuted.flatten(2), layer(x).flatten(2)[..., order])


def test_additive_attention_without_biases_forgets_the_lengths_of_queries_keys_and_weight():
    layer, x = attention(6), noise(2, 6, 4, 5)
    nn.init.zeros_(layer.query.bias), nn.init.zeros_(layer.key.bias)
    before = layer(x)
    layer.query.weight.data *= 3
    layer.key.weight.data *= 0.2
    layer.pool.weight.data *= 6**-0.5  # the factor that the paper states, which cancels
    torch.testing.assert_close(layer(x), before)


def test_additive_attention_weighs_a_single_position_by_plus_or_minus_one():
    query, pool = noise(5, 6, 1, 1), GlobalQuery(6).double()
    sign = (query * pool.weight).sum(1, keepdim=True).sign()
    torch.testing.assert_close(pool(query), sign * query)


def test_units_of_shufflenet_have_the_counts_of_the_formulas():
    for c in (16, 32, 64):
        h, q, t = c // 2, max(2, c // 16), c // 8
        assert count(make_block("shuffleunit", c)) == 2 * h**2 + 15 * h
        assert count(make_block("ccw_single", c)) == 2 * h * q + 2 * q + 13 * h + 2 * h * t + t + h


def test_the_shuffle_takes_channels_of_both_in_turn():
    x = torch.arange(5.0).reshape(1, 5, 1, 1)
    shuffled = ChannelShuffle()(FirstHalf()(x[:, :4]), SecondHalf()(x[:, :4]))
    assert shuffled.flatten().tolist() == [0, 2, 1, 3]
    assert ChannelShuffle()(FirstHalf()(x), SecondHalf()(x)).flatten().tolist() == [0, 2, 1, 3, 4]


def test_conditional_weighting_with_open_gates_filters_one_half_and_passes_the_other():
    class One(nn.Module):
        def forward(self, x):
            return torch.ones_like(x)

    block, x = make_block("ccw_single", 8), noise(2, 8, 5, 5)
    block.second.weigh.act, block.second.gate.gate = One(), One()
    filtered = block.second.depthwise(x[:, 4:])
    expected = torch.stack((x[:, :4], filtered), 2).flatten(1, 2)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(("name", "total"), TOTALS.items())
def test_published_networks_have_the_published_counts(name, total):
    with torch.device("meta"):
        net = published.build(name, classes=1000, in_channels=3, size=224)
    assert count(net) == total


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("before", "after", "stride"), [(8, 8, 1), (9, 9, 1), (8, 13, 1), (8, 16, 2), (7, 15, 2)])
def test_blocks_take_any_numbers_of_channels(name, before, after, stride):
    block, x = make_block(name, before, after, stride=stride), noise(2, before, 7, 7)
    assert block(x).shape == (2, after, -(-7 // stride), -(-7 // stride))
