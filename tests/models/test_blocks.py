"""What single blocks and layers compute and hold, against formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from lowparam.models import blocks
from lowparam.models.blocks.convnextv2 import GlobalResponseNorm
from lowparam.models.layers import ConvNormAct, LayerNorm2d, make_divisible
from lowparam.models.skeletons import published


def count(name: str, before: int, after: int, stride: int = 1) -> int:
    block = blocks.find(name)
    made = block(before, after, stride=stride, hidden=round(block.hidden_width(before, after)))
    return sum(p.numel() for p in made.parameters())


@pytest.mark.parametrize("c", [16, 32, 64])
def test_readings_of_nodepth_have_the_parameters_of_their_formulas(c):
    k, t = 3, 4
    assert count("nodepth_a", c, c) == c * k**2 + c + 2 * c + t * c**2 + t * c + t * c * c + c
    assert count("nodepth_b", c, c) == 1.0625 * c**2 + 3.5 * c
    assert count("nodepth_bp", c, c) == 2 * c + 2 * t * c**2 + t * c + c
    assert count("nodepth_c", c, 2 * c) == c * k**2 + c + 2 * c + 2 * c**2 + 2 * c


def test_the_striding_block_of_reading_b_prime_begins_with_a_down_sampler():
    torch.manual_seed(0)
    block = blocks.find("nodepth_bp")(8, 16, stride=2, hidden=64)
    x = torch.rand(2, 8, 7, 7)
    down = functional.conv2d(block.down[0](x), block.down[1].weight, block.down[1].bias, stride=2, padding=1)
    inside = block.project(functional.gelu(block.expand(block.norm(down))))
    assert block(x).shape == (2, 16, 4, 4)
    torch.testing.assert_close(block(x), down + inside)


@pytest.mark.parametrize(("name", "join"), [("demonet_star", torch.mul), ("demonet_sum", torch.add)])
@pytest.mark.parametrize("suffix", ["", "_noact"])
def test_demonet_equals_one_layer_that_is_split_in_two(name, join, suffix):
    # Ma et al. 2024 make both branches by one linear layer of twice the hidden width.
    torch.manual_seed(0)
    block = blocks.find(name + suffix)(8, 8, stride=1, hidden=24).double()
    nn.init.uniform_(block.scale.gamma)
    x = torch.rand(2, 8, 5, 5, dtype=torch.double)
    weight = torch.cat([block.first.weight, block.second.weight]).flatten(1)
    bias = torch.cat([block.first.bias, block.second.bias])
    h = functional.layer_norm(x.movedim(1, -1), (8,), block.norm.weight, block.norm.bias, 1e-6).movedim(-1, 1)
    h = functional.conv2d(h, block.depthwise.weight, block.depthwise.bias, padding=3, groups=8)
    first, second = functional.linear(h.movedim(1, -1), weight, bias).chunk(2, dim=-1)
    h = join(first if suffix else functional.gelu(first), second)
    h = functional.linear(h, block.project.weight.flatten(1), block.project.bias) * block.scale.gamma.flatten()
    torch.testing.assert_close(block(x), x + h.movedim(-1, 1))


@pytest.mark.parametrize(
    ("before", "after", "stride", "whole", "depthwise"),
    [
        (24, 24, 1, False, 2),  # the usual block
        (24, 36, 2, False, 1),  # widens and strides: none before the waist
        (24, 36, 1, False, 0),  # widens without striding: pointwise layers only
        (24, 36, 1, True, 2),  # the exception of single blocks and of the block that reduces by 2
    ],
)
def test_sandglass_has_the_exceptions_of_the_authors_code(before, after, stride, whole, depthwise):
    block = blocks.find("mobilenext")(before, after, stride=stride, hidden=6, whole=whole)
    found = [m for m in block.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert len(found) == depthwise
    assert block.residual == (before == after and stride == 1)
    assert block(torch.rand(2, before, 7, 7)).shape == (2, after, 7 if stride == 1 else 4, 7 if stride == 1 else 4)


def test_sandglass_is_linear_after_the_waist_and_at_its_end():
    block = blocks.find("mobilenext")(24, 24, stride=1, hidden=4)
    active = {
        name for name, module in block.named_children() if isinstance(module, ConvNormAct) and hasattr(module, "act")
    }
    assert active == {"depthwise_in", "expand"}


def test_global_response_norm_begins_as_the_identity_and_weighs_channels_by_their_norm():
    x = torch.tensor([[3.0, 4.0], [0.0, 10.0]]).reshape(1, 2, 1, 2)
    layer = GlobalResponseNorm(2)
    torch.testing.assert_close(layer(x), x)
    nn.init.ones_(layer.gamma)
    # Norms over space are 5 and 10, their mean is 7.5: the channels are weighed by 1 + 2/3 and 1 + 4/3.
    expected = x * torch.tensor([1 + 5 / 7.5, 1 + 10 / 7.5]).reshape(1, 2, 1, 1)
    torch.testing.assert_close(layer(x), expected)


def test_layer_norm_is_over_channels_at_each_position():
    y = LayerNorm2d(6)(torch.randn(2, 6, 3, 3, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(y.mean(dim=1), torch.zeros(2, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(y.var(dim=1, unbiased=False), torch.ones(2, 3, 3), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("value", "divisor", "rounded"),
    [(32 * 0.25, 8, 8), (24 * 0.35, 8, 8), (11, 8, 16), (96 * 0.1, 4, 12), (1280 * 1.4, 8, 1792), (3, 8, 8)],
)
def test_widths_are_rounded_as_in_the_mobilenet_papers(value, divisor, rounded):
    assert make_divisible(value, divisor) == rounded


@pytest.mark.parametrize(
    ("name", "size", "stride"),
    [
        ("mobilenetv1_x0.25", 224, 32),
        ("mobilenetv1_x0.25", 32, 16),
        ("mobilenetv2_x0.25", 224, 32),
        ("mobilenetv2_x0.25", 32, 8),
        ("mobilenetv3_small_1280_x0.25", 224, 32),
        ("mobilenetv3_small_1280_x0.25", 32, 8),
        ("mobilenetv3_large_1280_x0.25", 224, 32),
        ("mobilenetv3_large_1280_x0.25", 32, 8),
        ("mobilenext_x0.25", 224, 32),
        ("mobilenext_x0.25", 32, 8),
        ("convnext_w16", 224, 32),
        ("convnext_w16", 32, 16),
        ("starnet_s050", 224, 32),
        ("starnet_s050", 32, 16),
        ("demonet_star_d12_w32", 224, 16),
        ("demonet_star_d12_w32", 32, 4),
    ],
)
def test_total_strides_are_those_of_the_papers_and_of_the_field(name, size, stride):
    with torch.device("meta"):
        net = published.build(name, classes=10, in_channels=3, size=size).eval()
        assert net.features(torch.empty(1, 3, size, size)).shape[2] == size // stride


def test_strides_change_no_parameter_but_in_demonets_patches():
    def parameters(name: str, size: int) -> int:
        with torch.device("meta"):
            net = published.build(name, classes=10, in_channels=3, size=size)
        return sum(p.numel() for p in net.parameters())

    for name in ("mobilenetv2_x0.5", "convnext_atto", "convnext_atto_ols", "starnet_s100", "mobilenext_x0.5"):
        assert parameters(name, 32) == parameters(name, 224)
    assert parameters("demonet_star_d12_w64", 224) - parameters("demonet_star_d12_w64", 32) == 240 * 3 * 64


def test_published_networks_begin_as_published():
    torch.manual_seed(0)
    convnext = published.build("convnext_atto", classes=10, in_channels=3, size=224)
    block = convnext.stages[3][1]
    assert block.expand.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.expand.bias.eq(0).all()
    assert block.scale.gamma.eq(1e-6).all()
    mobilenet = published.build("mobilenetv2_x1.0", classes=10, in_channels=3, size=224)
    conv = mobilenet.stages[5][1].expand.conv
    assert conv.weight.std().item() == pytest.approx((2 / conv.out_channels) ** 0.5, rel=0.05)
    assert mobilenet.classifier.bias.eq(0).all()
