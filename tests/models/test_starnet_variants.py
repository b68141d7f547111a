"""Variants of StarNet: what the paper changes in them, at its parameters and multiply-accumulates."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.blocks.starnet import ABLATIONS
from lowparam.models.budget import TOLERANCE, solve_width
from lowparam.models.cost import count_macs, count_parameters
from lowparam.models.layers import Product, Sum
from lowparam.models.skeletons import controlled, published

DIGITS = {"classes": 10, "in_channels": 1, "size": 8}
DESIGNS = ("gate", "gatepw", "shared", "square")
IN_STAGE_4 = [name for name in ABLATIONS if name.startswith("starnet_sum") and "4" in name]


def of_size(name, size, classes=1000, pixels=224):
    with torch.device("meta"):
        return published.build(f"{name}_{size}", classes=classes, in_channels=3, size=pixels)


@pytest.mark.parametrize("name", ABLATIONS)
def test_a_variant_costs_what_the_published_network_costs(name):
    nets = [of_size(given, "s4") for given in (name, "starnet")]
    counts = [count_parameters(net).total for net in nets]
    assert counts[1] == 7_482_728
    if name.removeprefix("starnet_") in DESIGNS:
        assert counts[0] == pytest.approx(counts[1], rel=1e-3)  # biases cannot be divided
    else:
        assert counts[0] == counts[1]


@pytest.mark.parametrize("size", ["s050", "s4"])
@pytest.mark.parametrize("name", ["starnet_sum", "starnet_sum12", "starnet_noact", *(f"starnet_{d}" for d in DESIGNS)])
def test_a_variant_has_the_macs_of_the_published_network(name, size):
    macs = [count_macs(of_size(given, size), 3, 224) for given in (name, "starnet")]
    assert macs[0] == macs[1]


@pytest.mark.parametrize("name", [name for name in ABLATIONS if name not in IN_STAGE_4])
def test_a_variant_meets_budgets_on_digits(name):
    for budget in (10_000, 25_000, 100_000):
        net = controlled.build(name, solve_width(name, budget, **DIGITS), **DIGITS)
        assert count_parameters(net).total == pytest.approx(budget, rel=TOLERANCE)


@pytest.mark.parametrize("name", [name for name in ABLATIONS if name not in IN_STAGE_4])
def test_a_variant_computes_and_learns(name):
    torch.manual_seed(0)
    net = controlled.build(name, 6.0, **DIGITS)
    net(torch.randn(4, 1, 8, 8)).square().sum().backward()
    for parameter, value in net.named_parameters():
        assert value.grad is not None and value.grad.isfinite().all(), parameter


@pytest.mark.parametrize(
    ("name", "joins"),
    [("starnet_sum1_s050", "+SSS"), ("starnet_sum34_s050", "SS++"), ("starnet_sum123_s050", "+++S")],
)
def test_stages_add_where_the_name_says(name, joins):
    net = published.build(name, classes=10, in_channels=1, size=28)
    kinds = {"S": Product, "+": Sum}
    for stage, letter in zip(net.stages, joins, strict=True):
        found = {type(block.join) for block in stage if isinstance(block, blocks.Block)}
        assert found == {kinds[letter]}


def test_stages_of_the_controlled_skeleton_add_where_the_name_says():
    net = controlled.build("starnet_sum13", 6.0, **DIGITS)
    assert [type(stage[1].join) for stage in net.stages] == [Sum, Product, Sum]


def test_a_stage_that_is_not_there_is_an_error():
    with pytest.raises(LowparamError, match="starnet_sum24 adds in stage 4, but for images of this size there are 3"):
        controlled.build("starnet_sum24", 6.0, **DIGITS)


RELU6 = {
    "starnet": lambda a, b: F.relu6(a) * b,
    "starnet_sum": lambda a, b: F.relu6(a) + b,
    "starnet_noact": lambda a, b: a * b,
    "starnet_actboth": lambda a, b: F.relu6(a) * F.relu6(b),
    "starnet_actproduct": lambda a, b: F.relu6(a * b),
    "starnet_relu": lambda a, b: F.relu(a) * b,
    "starnet_gelu": lambda a, b: F.gelu(a) * b,
    "starnet_leakyrelu": lambda a, b: F.leaky_relu(a) * b,
    "starnet_hardswish": lambda a, b: F.hardswish(a) * b,
}


def made(name, before=8, after=8, stride=1):
    torch.manual_seed(0)
    kind = blocks.find(name)
    block = kind(before, after, stride=stride, hidden=round(kind.hidden_width(before, after))).double().eval()
    for norm in block.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.weight.data.normal_()
    return block, torch.randn(2, before, 7, 7, dtype=torch.double)


@pytest.mark.parametrize("name", RELU6)
def test_the_activation_is_where_the_name_says_and_of_that_kind(name):
    block, x = made(name)
    inner = block.depthwise_in(x)
    joined = RELU6[name](4 * block.first(inner), block.second(inner))
    block.first.weight.data *= 4  # else no value reaches 6
    block.first.bias.data *= 4
    torch.testing.assert_close(block(x), x + block.depthwise_out(block.project(joined)))


@pytest.mark.parametrize(("before", "after", "stride"), [(8, 8, 1), (8, 16, 2)])
@pytest.mark.parametrize("design", DESIGNS)
def test_a_design_computes_what_its_reading_says(design, before, after, stride):
    block, x = made(f"starnet_{design}", before, after, stride)
    inner = block.depthwise_in(x)
    a = block.first(inner)
    joined = {
        "gate": lambda: block.second(F.relu6(a)) * inner,
        "gatepw": lambda: block.second(F.relu6(a)) * inner,
        "shared": lambda: F.relu6(a) * a,
        "square": lambda: F.relu6(a) ** 2,
    }[design]()
    expected = block.depthwise_out(block.project(joined))
    torch.testing.assert_close(block(x), x + expected if before == after else expected)
    projects = design != "gate" or before != after
    assert isinstance(block.project, nn.BatchNorm2d) != projects


@pytest.mark.parametrize("name", ["starnet_sum2", "starnet_actproduct", *(f"starnet_{design}" for design in DESIGNS)])
def test_sites_of_variants_show_feature_maps(name):
    net = controlled.build(name, 6.0, **DIGITS).eval()
    seen = {}
    for place, site in net.sites().items():
        site.output.register_forward_hook(lambda module, args, output, place=place: seen.update({place: output}))
    net(torch.rand(2, 1, 8, 8))
    kinds = set()
    for place, site in net.sites().items():
        kinds.add(site.kind)
        if site.pointwise is not None:
            assert site.pointwise.weight.shape[0] == seen[place].shape[1], place
    assert {"product", "projection", "stream"} <= kinds


def block_like(name: str, other: nn.Module, before: int = 8, after: int = 8, stride: int = 1) -> nn.Module:
    """Return a block with the weights of another one where both have them, in float64."""
    torch.manual_seed(1)
    made = blocks.find(name)(before, after, stride=stride, hidden=4 * before).double()
    made.load_state_dict(other.state_dict(), strict=False)
    return made.eval()


def test_learned_coefficients_begin_as_the_product_and_weigh_it_and_both_branches():
    torch.manual_seed(0)
    star, x = blocks.find("starnet")(8, 8, stride=1, hidden=32).double().eval(), torch.randn(2, 8, 5, 5).double()
    learned = block_like("starcoef", star)
    torch.testing.assert_close(learned(x), star(x))
    numbers = learned.coefficients
    assert sum(p.numel() for p in learned.parameters()) == sum(p.numel() for p in star.parameters()) + 3 * 32
    nn.init.zeros_(numbers.of_product), nn.init.ones_(numbers.of_first), nn.init.ones_(numbers.of_second)
    torch.testing.assert_close(learned(x), block_like("starnet_sum", star)(x))


@pytest.mark.parametrize(("after", "stride"), [(8, 1), (12, 2)])
@pytest.mark.parametrize(("name", "plain"), [("starattention", "starnet"), ("starattention_sum", "starnet_sum")])
def test_attention_comes_before_the_star_block_and_is_none_where_it_writes_nothing(name, plain, after, stride):
    torch.manual_seed(0)
    star = blocks.find(plain)(8, after, stride=stride, hidden=32).double().eval()
    hybrid, x = block_like(name, star, 8, after, stride), torch.randn(2, 8, 6, 6).double()
    query, key, value = hybrid.read(hybrid.norm_attention(x)).flatten(2).transpose(1, 2).chunk(3, 2)
    heads = [(query[..., i : i + 4] @ key[..., i : i + 4].mT / 2).softmax(2) @ value[..., i : i + 4] for i in (0, 4)]
    attended = x + hybrid.write(torch.cat(heads, 2).mT.reshape(x.shape))
    torch.testing.assert_close(hybrid(x), star(attended))
    assert (hybrid(x) - star(x)).abs().max() > 1e-3
    nn.init.zeros_(hybrid.write.weight), nn.init.zeros_(hybrid.write.bias)
    torch.testing.assert_close(hybrid(x), star(x))
    extra = 4 * 8**2 + 4 * 8 + 2 * 8
    assert sum(p.numel() for p in hybrid.parameters()) == sum(p.numel() for p in star.parameters()) + extra
