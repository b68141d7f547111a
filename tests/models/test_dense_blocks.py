"""Blocks with dense 3x3 convolutions, and MBConv, against their formulas and special cases."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.blocks.pyramidnet import PaddedShortcut, widths
from lowparam.models.skeletons import published


def make_block(name: str, before: int, after: int, stride: int = 1) -> nn.Module:
    torch.manual_seed(0)
    block = blocks.find(name)
    return block(before, after, stride=stride, hidden=round(block.hidden_width(before, after))).double().eval()


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("c", "d"), [(8, 8), (8, 12), (5, 5), (16, 32)])
def test_counts_are_those_of_the_formulas(c, d):
    assert count(make_block("wideresnet", c, d)) == 2 * c + 9 * c * d + 2 * d + 9 * d**2 + (c * d if c != d else 0)
    assert count(make_block("pyramidnet", c, d)) == 2 * c + 9 * c * d + 2 * d + 9 * d**2 + 2 * d
    assert count(make_block("nin", c, d)) == 9 * c * d + 2 * d**2 + 6 * d
    assert count(make_block("allcnn", c, d)) == 9 * c * d + d + 2 * (9 * d**2 + d)
    e, q = 6 * c, c // 4
    assert count(make_block("efficientnet", c, d)) == (
        (c * e + 2 * e) + (9 * e + 2 * e) + (2 * e * q + q + e) + (e * d + 2 * d)
    )


@pytest.mark.parametrize(
    ("name", "classes", "total"),
    [
        ("wideresnet_10_1", 10, 77_850),
        ("wideresnet_16_1", 10, 175_066),
        ("wideresnet_22_1", 10, 272_282),
        ("wideresnet_28_1", 10, 369_498),
        ("wideresnet_40_1", 10, 563_930),
        ("wideresnet_10_2", 10, 303_706),
        ("wideresnet_16_2", 10, 691_674),
        ("pyramidnet_110_a48", 10, 1_772_706),
        ("pyramidnet_56_a48", 10, 895_341),
        ("pyramidnet_110_a24", 10, 825_126),
        ("pyramidnet_38_a48", 10, 603_120),
        ("pyramidnet_20_a24", 10, 143_133),
        ("pyramidnet_20_a8", 10, 68_846),
        ("allcnn_c_x1.0", 10, 1_369_738),
        ("allcnn_c_x1.0", 100, 1_387_108),
        ("allcnn_c_x0.5", 10, 343_882),
        ("allcnn_c_x0.25", 10, 86_698),
        ("allcnn_c_x0.125", 10, 22_042),
        ("efficientnet_b0", 1000, 5_288_548),
        ("efficientnet_b1", 1000, 7_794_184),
        ("efficientnet_b2", 1000, 9_109_994),
        ("efficientnet_phim2", 10, 2_417_320),
        ("efficientnet_phim4", 10, 1_192_012),
        ("efficientnet_phim6", 10, 876_102),
        ("efficientnet_phim8", 10, 382_872),
        ("efficientnet_phim10", 10, 248_588),
    ],
)
def test_published_networks_have_the_published_counts(name, classes, total):
    with torch.device("meta"):
        assert count(published.build(name, classes=classes, in_channels=3, size=32)) == total


def test_nin_with_batch_norms_has_the_count_of_its_layers():
    layers = [(5, 3, 192), (1, 192, 160), (1, 160, 96), (5, 96, 192), (1, 192, 192), (1, 192, 192)]
    layers += [(3, 192, 192), (1, 192, 192), (1, 192, 192)]
    total = sum(k**2 * before * after + 2 * after for k, before, after in layers) + 193 * 10
    with torch.device("meta"):
        assert count(published.build("nin_bn_x1.0", classes=10, in_channels=3, size=32)) == total


def test_the_wide_block_with_a_second_convolution_of_zeros_is_the_identity():
    block, x = make_block("wideresnet", 8, 8), torch.randn(2, 8, 6, 6, dtype=torch.double)
    nn.init.zeros_(block.second.weight)
    torch.testing.assert_close(block(x), x)


def test_the_shortcut_of_a_wide_block_that_widens_reads_the_activated_map():
    block, x = make_block("wideresnet", 8, 12, stride=2), torch.randn(2, 8, 7, 7, dtype=torch.double)
    nn.init.zeros_(block.second.weight)
    torch.testing.assert_close(block(x), functional.conv2d(block.norm_first(x).relu(), block.reshape.weight, stride=2))


@pytest.mark.parametrize("size", [6, 7])
def test_the_pyramidal_block_with_a_branch_of_zeros_pools_and_pads_with_zeros(size):
    block, x = make_block("pyramidnet", 4, 6, stride=2), torch.randn(2, 4, size, size, dtype=torch.double)
    nn.init.zeros_(block.second.norm.weight)
    y = block(x)
    assert y.shape == (2, 6, (size + 1) // 2, (size + 1) // 2)
    torch.testing.assert_close(y[:, :4, :3, :3], functional.avg_pool2d(x[..., :6, :6], 2))
    assert y[:, 4:].eq(0).all()
    if size % 2:  # the last position alone is its own mean
        torch.testing.assert_close(y[:, :4, -1, -1], x[..., -1, -1])


def test_the_pyramidal_block_has_no_activation_before_its_first_convolution_and_none_after_the_sum():
    block, x = make_block("pyramidnet", 4, 4), torch.randn(2, 4, 5, 5, dtype=torch.double)
    inside = block.first.norm(functional.conv2d(block.norm(x), block.first.conv.weight, padding=1)).relu()
    expected = x + block.second.norm(functional.conv2d(inside, block.second.conv.weight, padding=1))
    torch.testing.assert_close(block(x), expected)


def test_a_padded_shortcut_that_narrows_keeps_the_first_channels():
    x = torch.randn(1, 5, 3, 3)
    torch.testing.assert_close(PaddedShortcut(5, 2, 1)(x), x[:, :2])


def test_widths_of_a_pyramid_grow_in_every_block():
    found = widths(110, 48)
    assert (len(found), found[:3], found[-1]) == (54, [17, 18, 19], 64)
    assert widths(20, 0) == [16] * 9


def test_nin_whose_pointwise_layers_are_the_identity_is_a_convolution():
    block, x = make_block("nin", 6, 6), torch.randn(2, 6, 5, 5, dtype=torch.double)
    for layer in (block.mix, block.project):
        nn.init.dirac_(layer.conv.weight)
        layer.norm.eps = 0.0
    torch.testing.assert_close(block(x), block.dense(x))


def test_mbconv_excites_by_a_quarter_of_its_input_with_silu_and_a_sigmoid():
    block = make_block("efficientnet", 12, 12)
    assert block.excite.reduce.weight.shape[:2] == (3, 72)
    y = torch.randn(2, 72, 4, 4, dtype=torch.double)
    inner = functional.silu(block.excite.reduce(y.mean((2, 3), keepdim=True)))
    torch.testing.assert_close(block.excite(y), y * block.excite.expand(inner).sigmoid())


def test_depth_of_efficientnet_stops_at_one_block_a_stage():
    def depth(name: str) -> int:
        with torch.device("meta"):
            net = published.build(name, classes=10, in_channels=3, size=224)
        return sum(isinstance(module, blocks.Block) for module in net.modules())

    names = ("b0", "phim2", "phim4", "phim6", "phim8", "phim10")
    assert [depth(f"efficientnet_{name}") for name in names] == [16, 15, 10, 10, 7, 7]


def test_all_cnn_is_a_plain_stack_that_strides_in_its_last_convolution():
    block, x = make_block("allcnn", 3, 5, stride=2), torch.randn(2, 3, 7, 7, dtype=torch.double)
    expected = x
    for layer, strides in zip(block.layers, (1, 1, 2), strict=True):
        expected = functional.conv2d(expected, layer[0].weight, layer[0].bias, strides, padding=1).relu()
    torch.testing.assert_close(block(x), expected)


def test_a_map_a_class_and_its_mean_is_the_classifier_of_the_mean():
    net = published.build("allcnn_c_x0.125", classes=10, in_channels=3, size=32).double()
    x = torch.randn(2, 3, 32, 32, dtype=torch.double)
    maps = functional.conv2d(net.neck(net.features(x)), net.classifier.weight[..., None, None], net.classifier.bias)
    assert maps.shape[2:] == (6, 6)
    torch.testing.assert_close(net(x), maps.mean((2, 3)))


def test_all_cnn_refuses_images_that_leave_no_map():
    with pytest.raises(LowparamError, match="cannot take images of 8 pixels: it needs at least 9"):
        published.build("allcnn_c_x0.125", classes=10, in_channels=1, size=8)
    assert published.build("allcnn_c_x0.125", classes=10, in_channels=1, size=9)(torch.rand(1, 1, 9, 9)).shape == (
        1,
        10,
    )
