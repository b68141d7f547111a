"""Blocks that mix positions by convolution, shift or light attention, against formulas, special cases and libraries."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from timm.layers import ConvNormAct as ConvNormActOfTimm
from timm.models.byobnet import LayerFn
from timm.models.edgenext import CrossCovarianceAttn, SplitTransposeBlock
from timm.models.fastvit import ReparamLargeKernelConv
from timm.models.mobilevit import MobileVitBlock
from torch import Tensor, nn

from lowparam.models import blocks
from lowparam.models.blocks.edgenext import SplitBlock, SplitBlock3, SplitBlock4
from lowparam.models.blocks.lsnet import Aggregation
from lowparam.models.blocks.mobilevit import AcrossPatches
from lowparam.models.blocks.spartan import StrongestProduct, Wave
from lowparam.models.blocks.spiralmlp import Choice
from lowparam.models.blocks.swiftformer import AdditiveAttention, ConvEncoder, GlobalQuery
from lowparam.models.blocks.unireplknet import BRANCHES
from lowparam.models.large_kernel import ReparamConv
from lowparam.models.layers import LayerNorm2d
from lowparam.models.layers.covariance import CrossCovariance
from lowparam.models.layers.split import ChannelShuffle, FirstHalf, SecondHalf
from lowparam.models.make import Defaults, Make
from lowparam.models.parts.spiral import offsets
from lowparam.models.skeletons import published
from single_blocks import count, noise

TOTALS = {  # of the papers' code, with 1000 classes
    "swiftformer_xs": 3_475_360 - 221_000,  # the classifier for distillation
    "swiftformer_s": 6_092_128 - 225_000,
    "swiftformer_l1": 12_057_920 - 385_000,
    "unireplknet_a": 4_649_060,
    "unireplknet_f": 6_235_216 + 7 * (48 * 2 + 96 * 2 + 192 * 6 + 384 * 2) + 113 * (96 * 2 + 192 * 6 + 384 * 2),
    "replknet_31b": 79_864_168,
    "shuffleunit_x0.5": 1_366_792,
    "shuffleunit_x1.0": 2_278_604,
}
NAMES = [
    *("lsnet", "swiftformer_encoder", "shuffleunit", "ccw_single", "cdc", "cdc_lgfi", "replknet", "replknet_plain"),
    *("unireplknet", "unireplknet_plain", "spiralmlp", "spartan", "mobilevit", "edgenext_split"),
]


def make_block(name: str, channels: int, after: int | None = None, *, stride: int = 1, **changes):
    torch.manual_seed(0)
    block, after = blocks.find(name), after or channels
    hidden = max(1, round(block.hidden_width(channels, after)))
    return block(channels, after, stride=stride, hidden=hidden, **changes).double()


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


@pytest.mark.parametrize("c", [16, 32])
def test_counts_of_lite_mono_are_those_of_the_formulas(c):
    assert count(make_block("cdc", c)) == 12 * c**2 + 19 * c
    assert count(make_block("cdc_lgfi", c)) == 16 * c**2 + 17 * c + 8


def test_a_dilated_block_reaches_two_positions_in_each_direction():
    block, impulse = make_block("cdc", 8), torch.zeros(1, 8, 9, 9, dtype=torch.double)
    impulse[..., 4, 4] = 1
    seen = block.inside.depthwise(impulse).abs().sum((0, 1)) > 0
    assert seen.nonzero().tolist() == [[i, j] for i in (2, 4, 6) for j in (2, 4, 6)]


def test_a_block_of_lite_mono_that_strides_adds_its_branch_to_what_it_has_shrunk():
    block, x = make_block("cdc", 8, 12, stride=2), noise(2, 8, 7, 7)
    shrunk = block.embed(x)
    inside = block.inside
    filtered = F.conv2d(shrunk, inside.depthwise.weight, padding=1, groups=12)
    hidden = F.gelu(inside.mlp.expand(inside.mlp.norm(filtered)))
    expected = shrunk + 1e-6 * inside.mlp.project(hidden)
    torch.testing.assert_close(block.train()(x), expected)


def test_attention_between_channels_commutes_with_permutations_of_positions():
    layer, x, order = CrossCovariance(2).double(), noise(2, 24, 4, 5), torch.randperm(20)
    permuted = layer(x.flatten(2)[..., order].reshape(x.shape))
    torch.testing.assert_close(permuted.flatten(2), layer(x).flatten(2)[..., order])


def test_attention_between_channels_is_that_of_timm():
    theirs = CrossCovarianceAttn(12, num_heads=3, qkv_bias=True).double()
    nn.init.uniform_(theirs.temperature)
    layer, x = CrossCovariance(3).double(), noise(2, 12, 4, 5)
    layer.load_state_dict({"temperature": theirs.temperature})
    tokens = x.flatten(2).transpose(1, 2)
    qkv = theirs.qkv(tokens).transpose(1, 2).reshape(2, 36, 4, 5)
    given = theirs.proj(layer(qkv).flatten(2).transpose(1, 2))
    torch.testing.assert_close(given, theirs(tokens))


def test_attention_of_lite_mono_reaches_the_output_through_the_hidden_branch_alone():
    block, x = make_block("cdc_lgfi", 16), noise(2, 16, 5, 5)
    nn.init.zeros_(block.inside.mlp.scale.gamma)
    torch.testing.assert_close(block(x), x)


def reparameterised(kernel: int, branches) -> ReparamConv:
    """A large kernel with its branches, whose norms have factors, shifts and statistics of some images."""
    torch.manual_seed(0)
    layer = ReparamConv(Make(), 4, kernel, branches).double()
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.3, 2)
    return layer.eval()


@pytest.mark.parametrize(("kernel", "branches"), [*BRANCHES.items(), (7, ((5, 1),)), (9, ())])
def test_a_large_kernel_and_its_branches_merge_into_one_convolution(kernel, branches):
    layer, x = reparameterised(kernel, branches), noise(2, 4, 8, 8)
    torch.testing.assert_close(layer.merged()(x), layer(x))
    assert layer.merged().kernel_size == (kernel, kernel)


def test_a_kernel_does_not_merge_with_layer_norm():
    layer = ReparamConv(Make().bind(Defaults(norm=LayerNorm2d)), 4, 7, ())
    with pytest.raises(TypeError, match="a kernel does not merge with LayerNorm2d"):
        layer.merged()


def test_a_large_kernel_with_a_small_one_is_that_of_timm():
    theirs = ReparamLargeKernelConv(4, 4, 7, stride=1, group_size=1, small_kernel=5, act_layer=None).double()
    layer, x = reparameterised(7, ((5, 1),)), noise(2, 4, 8, 8)
    pairs = (layer.large, theirs.large_conv), (layer.small[0], theirs.small_conv)
    for ours, other in pairs:
        other.conv.load_state_dict(ours.conv.state_dict())
        other.bn.load_state_dict(ours.norm.state_dict())
    torch.testing.assert_close(layer(x), theirs.eval()(x))
    torch.testing.assert_close(layer.train()(x), theirs.train()(x))


def test_taps_beyond_the_map_change_nothing():
    small, large, x = reparameterised(7, ()), reparameterised(13, ()), noise(2, 4, 4, 4)
    large.large.norm.load_state_dict(small.large.norm.state_dict())
    large.large.conv.weight.data[..., 3:10, 3:10] = small.large.conv.weight
    torch.testing.assert_close(large(x), small(x))


@pytest.mark.parametrize("name", ["replknet", "unireplknet", "replknet_plain"])
def test_kernels_fit_the_maps_of_images_of_32_pixels(name):
    kernels = [block.kernel_size for block in blocks.find(name).by_stage(3)]
    assert kernels == [13, 9, 7]
    assert all(kernel <= 2 * height - 1 for kernel, height in zip(kernels, (16, 8, 4), strict=True))
    assert [block.kernel_size for block in blocks.find(name).by_stage(4)] == [13, 13, 9, 7]


@pytest.mark.parametrize("c", [16, 32])
def test_counts_of_large_kernel_blocks_are_those_of_the_formulas(c):
    s, k = c // 4, 7
    assert count(make_block("unireplknet", c)) == 8 * c**2 + 2 * c * s + s + (k**2 + 18) * c + 51 * c
    assert count(make_block("unireplknet_plain", c)) == 8 * c**2 + 2 * c * s + s + (k**2 + 18) * c
    assert count(make_block("replknet", c)) == 10 * c**2 + (k**2 + 47) * c
    assert count(make_block("replknet_plain", c)) == 10 * c**2 + (k**2 + 20) * c


def test_the_plain_block_of_unireplknet_with_open_gates_is_that_of_convnext_with_batch_norm():
    block, x = make_block("unireplknet_plain", 8), noise(2, 8, 6, 6)
    block.excite = nn.Identity()  # GRN begins as the identity
    filtered = F.conv2d(x, block.spatial.weight, padding=3, groups=8)
    hidden = F.gelu(block.expand(F.batch_norm(filtered, None, None, training=True)))
    written = F.batch_norm(block.project.conv(hidden), None, None, training=True)
    torch.testing.assert_close(block.train()(x), x + 1e-6 * written)


@pytest.mark.parametrize("c", [16, 32])
def test_counts_of_spiralmlp_are_those_of_the_formula(c):
    assert count(make_block("spiralmlp", c)) == 11.75 * c**2 + 13.25 * c


def test_the_spiral_block_reads_every_channel_at_its_offset():
    block, x = make_block("spiralmlp", 16), noise(1, 16, 9, 9)
    shifted = block.shift(x)
    for channel, (row, column) in enumerate(offsets(16)):
        assert shifted[0, channel, 4, 4] == x[0, channel, 4 + row, 4 + column]


def test_the_choice_of_spiralmlp_is_a_mean_with_weights_of_each_channel():
    layer, x, y = Choice(6, 2).double(), noise(2, 6, 4, 4), noise(2, 6, 4, 4).flip(1)
    torch.testing.assert_close(layer(x, x), x)
    weight = ((layer(x, y) - y) / (x - y)).flatten(2)
    torch.testing.assert_close(weight, weight[..., :1].expand_as(weight))
    assert weight.min() > 0 and weight.max() < 1


@pytest.mark.parametrize("c", [32, 64])
def test_counts_of_spartan_mobilevit_and_edgenext_are_those_of_the_formulas(c):
    assert count(make_block("spartan", c)) == 8.75 * c**2 + 74 * c
    assert count(make_block("mobilevit", c)) == (9 + 1 + 8 + 1 + 18) * c**2 + (11 + 2 + 6) * c
    assert count(make_block("edgenext_split", c)) == 12 * c**2 + 20 * c + 4  # four temperatures


def test_complex_factors_of_one_and_i_pass_and_turn():
    layer, x = Wave(6).double(), noise(2, 6, 3, 3)
    layer.weight.data[0], layer.weight.data[1] = 1, 0
    torch.testing.assert_close(layer(x), x)
    layer.weight.data[0], layer.weight.data[1] = 0, 1
    turned = torch.stack((-x[:, 1::2], x[:, ::2]), 2).flatten(1, 2)
    torch.testing.assert_close(layer(x), turned)


def test_the_product_at_the_largest_channel_is_added_to_all():
    theta, value, x = noise(2, 8, 3, 3), noise(2, 8, 3, 3).flip(1), noise(2, 4, 3, 3)
    given = StrongestProduct()(theta, value, x)
    for n, i, j in ((0, 0, 0), (1, 2, 1)):
        k = x[n, :, i, j].argmax()
        expected = value[n, :, i, j] * theta[n, :, i, j] + value[n, k, i, j] * theta[n, k, i, j]
        torch.testing.assert_close(given[n, :, i, j], expected)


def test_the_spartan_block_without_factors_passes_the_stream():
    block, x = make_block("spartan", 16), noise(2, 16, 6, 6)
    for scale in (block.scale_spatial, block.scale_channels):
        nn.init.zeros_(scale.gamma)
    torch.testing.assert_close(block(x), x)


def in_order(*modules: nn.Module) -> list[Tensor]:
    """All weights and running statistics in the order in which the modules were registered."""
    states = [module.state_dict() for module in modules]
    return [value for state in states for name, value in state.items() if not name.endswith("num_batches_tracked")]


def copy(ours: list[Tensor], theirs: list[Tensor]) -> None:
    """Give our tensors the values of theirs, all different from what they began with."""
    assert [tensor.numel() for tensor in ours] == [tensor.numel() for tensor in theirs]
    for target, source in zip(ours, theirs, strict=True):
        source.data.uniform_(0.2, 0.8)
        target.data.copy_(source.reshape(target.shape))


@pytest.mark.parametrize("size", [8, 7])
def test_the_mobilevit_block_is_that_of_timm(size):
    torch.manual_seed(0)
    layers = LayerFn(conv_norm_act=ConvNormActOfTimm, act=nn.SiLU)
    layers.conv_norm_act = partial(layers.conv_norm_act, act_layer=nn.SiLU)
    theirs = MobileVitBlock(
        8,
        patch_size=2,
        transformer_dim=8,
        transformer_depth=1,
        layers=layers,
        transformer_norm_layer=partial(nn.LayerNorm, eps=1e-6),
    ).double()
    block, x = make_block("mobilevit", 8), noise(2, 8, size, size)
    copy(in_order(block), in_order(theirs))
    torch.testing.assert_close(block.eval()(x), theirs.eval()(x))


def test_attention_across_patches_reads_no_other_place_of_a_patch_and_no_order_of_patches():
    layer, x = AcrossPatches(2), noise(1, 24, 6, 6).requires_grad_()
    mixed = layer(x)
    (gradient,) = torch.autograd.grad(mixed[0, :, 2, 3].sum(), x)
    read = gradient[0].abs().sum(0) > 0
    assert read[::2, 1::2].all() and read.sum() == 9
    order = torch.tensor([4, 5, 0, 1, 2, 3])
    torch.testing.assert_close(layer(x[:, :, order][..., order]), mixed[:, :, order][..., order])


@pytest.mark.parametrize(("chunks", "kind"), [(2, SplitBlock), (3, SplitBlock3), (4, SplitBlock4)])
def test_the_split_block_is_that_of_timms_edgenext(chunks, kind):
    torch.manual_seed(0)
    theirs = SplitTransposeBlock(12, num_scales=chunks, num_heads=4, use_pos_emb=False).double()
    block, x = kind(12, 12, stride=1, hidden=48).double(), noise(2, 12, 5, 6)
    theirs_in_order = [
        *in_order(theirs.convs, theirs.norm_xca),
        *[theirs.xca.qkv.weight, theirs.xca.qkv.bias, theirs.xca.temperature],
        *[theirs.xca.proj.weight, theirs.xca.proj.bias, theirs.gamma_xca],
        *in_order(theirs.norm, theirs.mlp),
        theirs.gamma,
    ]
    copy(in_order(block), theirs_in_order)
    torch.testing.assert_close(block.eval()(x), theirs.eval()(x))


def test_the_stages_of_edgenext_have_two_three_and_four_chunks():
    assert [block.chunks for block in blocks.find("edgenext_split").by_stage(3)] == [2, 3, 4]
    assert [block.chunks for block in blocks.find("edgenext_split").by_stage(4)] == [2, 2, 3, 4]


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
