"""What holds for every network: gradients, shapes, finiteness, budgets, sites."""

import pytest
import torch
from torch import nn

from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.budget import TOLERANCE, solve_width
from lowparam.models.cost import count_parameters
from lowparam.models.layers import ConvNormAct
from lowparam.models.probes import names as probe_names
from lowparam.models.skeletons import controlled, published

BUDGETS = (10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 1_500_000)
CORE = ("none", "solu_s1", "topk_s3")
SMALLEST = (  # the smallest published network of each block
    "mobilenetv1_x0.25",
    "mobilenetv2_x0.1",
    "mobilenetv3_small_scaled_x0.25",
    "mobilenetv3_large_1280_x0.25",
    "mobilenext_x0.1",
    "convnext_w16",
    "convnext_atto_ols",
    "convnextv2_atto",
    "nodepth_a_w16",
    "nodepth_b_w16",
    "nodepth_bp_w16",
    "nodepth_c_w16",
    "swiftformer_xs",
    "shuffleunit_x0.5",
    "starnet_s050",
    "starnet_sum_s050",
    "demonet_star_d12_w32",
    "demonet_sum_d12_w32",
    "demonet_star_noact_d12_w32",
    "demonet_sum_noact_d12_w32",
    "irevnet_d2_r4",
    "msdnet_l50_w1_d4",
    "nasnet_f4_n1",
)


def slow_unless(core: bool):
    return () if core else pytest.mark.slow


def without_effect(net: nn.Module) -> set[str]:
    """Biases right before a batch norm, which takes them away again; StarNet has them."""
    return {
        f"{name}.conv.bias"
        for name, module in net.named_modules()
        if isinstance(module, ConvNormAct) and isinstance(module.norm, nn.BatchNorm2d) and module.conv.bias is not None
    }


def assert_gradients_reach_all(net: nn.Module, images: torch.Tensor) -> None:
    net.double().train()(images.double()).log_softmax(dim=1)[:, 0].sum().backward()
    exempt = without_effect(net)
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert name in exempt or parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("architecture", "probe"),
    [
        pytest.param(architecture, probe, marks=slow_unless(probe in CORE))
        for architecture in blocks.names()
        for probe in probe_names()
    ],
)
def test_gradients_reach_every_parameter(architecture, probe):
    torch.manual_seed(0)
    net = controlled.build(architecture, 16.0, classes=10, in_channels=1, size=8, probe=probe)
    assert_gradients_reach_all(net, torch.rand(4, 1, 8, 8))


@pytest.mark.parametrize(
    ("name", "probe"),
    [pytest.param(name, probe, marks=slow_unless(probe == "solu_s1")) for name in SMALLEST for probe in probe_names()],
)
def test_gradients_reach_every_parameter_of_published_networks(name, probe):
    torch.manual_seed(0)
    net = published.build(name, classes=10, in_channels=3, size=32, probe=probe)
    assert_gradients_reach_all(net, torch.rand(4, 3, 32, 32))


@pytest.mark.parametrize(
    ("architecture", "size"),
    [
        pytest.param(architecture, size, marks=slow_unless(size in (8, 31)))
        for architecture in blocks.names()
        for size in (8, 9, 23, 24, 28, 31, 32, 57, 64, 95, 96, 223, 224)
    ],
)
@pytest.mark.parametrize(("in_channels", "classes"), [(1, 10), (3, 1000)])
def test_outputs_have_the_shape_asked_for_and_are_finite(architecture, size, in_channels, classes):
    torch.manual_seed(0)
    net = controlled.build(architecture, 6.5, classes=classes, in_channels=in_channels, size=size)
    images = torch.randn(2, in_channels, size, size)
    with torch.no_grad():
        for training in (True, False):
            logits = net.train(training)(images)
            assert logits.shape == (2, classes)
            assert logits.isfinite().all()
        assert net.features(images).shape[2] == -(-size // backbone_stride(size))


def backbone_stride(size: int) -> int:
    stem, stages = controlled.stage_plan(size)
    return stem * torch.tensor(stages).prod().item()


@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param(name, size, marks=slow_unless(size in (8, 57)))
        for name in SMALLEST
        for size in (8, 17, 28, 32, 57, 64, 95, 96, 224, 225)
    ],
)
def test_published_networks_take_images_of_any_size_or_say_why_not(name, size, in_channels):
    smallest = 16 if name.startswith(("convnext", "nodepth")) else 1
    build = {"classes": 10, "in_channels": in_channels, "size": size}
    if size < smallest:
        with pytest.raises(LowparamError, match=f"{name} cannot take images of {size} pixels: it needs at least 16"):
            published.build(name, **build)
        return
    torch.manual_seed(0)
    net = published.build(name, **build).eval()
    with torch.no_grad():
        logits = net(torch.randn(2, in_channels, size, size))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()


def test_images_that_are_too_small_are_refused_in_one_line():
    with pytest.raises(LowparamError, match="image size 7 is too small: the skeleton needs at least 8 pixels"):
        controlled.build("mobilenetv2", 8.0, classes=10, in_channels=1, size=7)


@pytest.mark.parametrize("size", [pytest.param(8), pytest.param(32, marks=pytest.mark.slow)])
@pytest.mark.parametrize("counting", [pytest.param("total"), pytest.param("body", marks=pytest.mark.slow)])
@pytest.mark.parametrize("architecture", blocks.names())
def test_every_architecture_reaches_every_budget(architecture, counting, size):
    network = {"classes": 10, "in_channels": 1, "size": size}
    budgets = BUDGETS if size == 32 else (25_000, 1_500_000)
    for budget in budgets:
        width = solve_width(architecture, budget, counting=counting, **network)
        with torch.device("meta"):
            count = getattr(count_parameters(controlled.build(architecture, width, **network)), counting)
        assert abs(count - budget) <= TOLERANCE * budget


def test_the_solved_width_is_the_nearest_there_is():
    network = {"classes": 10, "in_channels": 1, "size": 8}
    width = solve_width("mobilenetv2", 25_000, **network)

    def miss(width: float) -> int:
        return abs(count_parameters(controlled.build("mobilenetv2", width, **network)).total - 25_000)

    assert all(miss(width) <= miss(width + step / 256) for step in range(-40, 41))


def test_head_budgets_count_the_classifier():
    network = {"classes": 10, "in_channels": 1, "size": 8}
    width = solve_width("mobilenetv1", 1010, counting="head", **network)
    assert controlled.build("mobilenetv1", width, **network).classifier.in_features == 100


def test_divisor_and_minimum_bound_the_widths():
    network = {"classes": 10, "in_channels": 1, "size": 8}
    net = controlled.build("mobilenetv1", 21.0, divisor=8, **network)
    assert [row[-1].out_channels for row in net.stages] == [24, 40, 80]
    net = controlled.build("mobilenetv1", 3.0, minimum=16, **network)
    assert [row[-1].out_channels for row in net.stages] == [16, 16, 16]


def test_a_budget_out_of_reach_names_the_nearest_count():
    network = {"classes": 1000, "in_channels": 3, "size": 224}
    with pytest.raises(
        LowparamError, match=r"mobilenetv2 cannot have 1,000 parameters within 2%: the nearest is [\d,]+"
    ):
        solve_width("mobilenetv2", 1_000, **network)


@pytest.mark.parametrize("architecture", blocks.names())
def test_sites_are_named_by_place_and_show_feature_maps(architecture):
    torch.manual_seed(0)
    net = controlled.build(architecture, 8.0, classes=10, in_channels=1, size=8).eval()
    sites = net.sites()
    assert sum(site.kind == "stream" for site in sites.values()) == 6
    assert all(name.startswith("stages.") for name in sites)
    seen = {}
    for name, site in sites.items():
        site.output.register_forward_hook(lambda module, args, output, name=name: seen.update({name: output}))
    with torch.no_grad():
        net(torch.rand(2, 1, 8, 8))
    for name, site in sites.items():
        assert seen[name].ndim == 4, name
        if site.pointwise is not None:
            assert site.pointwise.weight.shape[0] == seen[name].shape[1], name
        if site.scale is not None:
            assert site.scale.shape[0] == seen[name].shape[1], name


@pytest.mark.parametrize(
    ("architecture", "kinds"),
    [
        ("mobilenetv1", {"spatial", "projection", "stream"}),
        ("mobilenetv2", {"expansion", "spatial", "projection", "stream"}),
        ("mobilenext", {"spatial", "reduction", "expansion", "stream"}),
        ("starnet", {"spatial", "branch", "product", "projection", "stream"}),
        ("demonet_sum", {"spatial", "branch", "sum", "projection", "stream"}),
    ],
)
def test_blocks_have_the_sites_that_their_papers_speak_of(architecture, kinds):
    sites = controlled.build(architecture, 8.0, classes=10, in_channels=1, size=8).sites()
    assert {site.kind for site in sites.values()} == kinds


def test_the_product_is_the_product_of_its_branches():
    torch.manual_seed(0)
    net = controlled.build("starnet", 8.0, classes=10, in_channels=1, size=8).eval()
    sites, seen = net.sites(), {}
    for kind in ("branch1", "branch2", "join"):
        site = sites[f"stages.0.1.{kind}"]
        site.output.register_forward_hook(lambda module, args, output, kind=kind: seen.update({kind: output}))
    net(torch.rand(2, 1, 8, 8))
    torch.testing.assert_close(seen["join"], seen["branch1"] * seen["branch2"])


def test_an_unknown_architecture_offers_the_nearest():
    with pytest.raises(LowparamError, match=r"unknown architecture 'mobilenetv22': did you mean 'mobilenetv2'\?"):
        blocks.find("mobilenetv22")
    with pytest.raises(LowparamError, match=r"did you mean 'mobilenetv2_x0\.5'\?"):
        blocks.find_published("mobilenetv2_x0.55")
