"""Parameters and multiply-accumulates of the published networks, against counts taken from what others wrote:
timm 1.0.31, torchvision 0.29.1, and the authors' code of MobileNeXt and DemoNet."""

import pytest
import timm
import torch
from torch import nn

from lowparam.models import timm_adapter
from lowparam.models.cost import count_macs, count_parameters
from lowparam.models.skeletons import published

# network: parameters with 1000 classes, with 10 classes, millions of MACs at 224 pixels with 1000 classes
COUNTS = {
    "mobilenetv1_x0.25": (470_072, 215_642, 41.03),
    "mobilenetv1_x0.35": (763_752, 406_362, 80.41),
    "mobilenetv1_x0.5": (1_331_592, 823_722, 149.50),
    "mobilenetv1_x0.75": (2_585_560, 1_824_250, 325.40),
    "mobilenetv1_x1.0": (4_231_976, 3_217_226, 568.74),
    "mobilenetv2_x0.1": (1_367_080, 98_890, 26.66),
    "mobilenetv2_x0.25": (1_519_112, 250_922, 37.20),
    "mobilenetv2_x0.35": (1_677_128, 408_938, 59.29),
    "mobilenetv2_x0.5": (1_968_680, 700_490, 97.13),
    "mobilenetv2_x0.75": (2_636_424, 1_368_234, 209.07),
    "mobilenetv2_x1.0": (3_504_872, 2_236_682, 300.77),
    "mobilenetv2_x1.4": (6_108_776, 4_333_706, 582.20),
    "mobilenetv3_small_scaled_x0.25": (374_272, 119_842, 9.03),
    "mobilenetv3_small_scaled_x0.35": (558_744, 201_354, 11.24),
    "mobilenetv3_small_scaled_x0.5": (917_264, 409_394, 18.97),
    "mobilenetv3_small_scaled_x0.75": (1_653_920, 892_610, 39.12),
    "mobilenetv3_small_scaled_x1.0": (2_542_856, 1_528_106, 56.51),
    "mobilenetv3_small_1280_x0.35": (1_656_304, 388_114, 12.34),
    "mobilenetv3_small_1280_x0.5": (1_907_216, 639_026, 19.96),
    "mobilenetv3_small_1280_x0.75": (2_387_616, 1_119_426, 39.85),
    "mobilenetv3_small_1280_x1.0": (2_946_568, 1_678_378, 56.91),
    "mobilenetv3_small_1024_x0.35": (1_350_896, 336_146, 12.03),
    "mobilenetv3_small_1024_x0.5": (1_577_232, 562_482, 19.63),
    "mobilenetv3_small_1024_x0.75": (2_020_768, 1_006_018, 39.48),
    "mobilenetv3_small_1024_x1.0": (2_542_856, 1_528_106, 56.51),
    "mobilenetv3_small_timm_x0.5": (1_593_224, 578_474, 24.19),
    "mobilenetv3_small_timm_x0.75": (2_041_872, 1_027_122, 43.40),
    "mobilenetv3_small_minimal_x1.0": (2_044_736, 1_029_986, 52.29),
    "mobilenetv3_large_scaled_x0.25": (617_000, 299_210, 24.77),
    "mobilenetv3_large_scaled_x0.35": (997_064, 552_554, 35.28),
    "mobilenetv3_large_scaled_x0.5": (1_734_576, 1_099_986, 64.96),
    "mobilenetv3_large_scaled_x0.75": (3_377_576, 2_426_186, 140.03),
    "mobilenetv3_large_timm_x0.75": (3_993_528, 2_725_338, 154.56),
    "mobilenetv3_large_1280_x1.0": (5_483_032, 4_214_842, 216.59),
    "mobilenext_x0.1": (1_627_316, 359_126, 28.08),
    "mobilenext_x0.25": (1_764_336, 496_146, 48.01),
    "mobilenext_x0.35": (1_913_976, 645_786, 75.14),
    "mobilenext_x0.5": (2_152_304, 884_114, 103.26),
    "mobilenext_x0.75": (2_766_168, 1_497_978, 207.93),
    "mobilenext_x1.0": (3_535_416, 2_267_226, 311.34),
    "mobilenext_x1.4": (6_126_168, 4_351_098, 588.32),
    "convnext_w16": (695_448, 567_738, 96.10),
    "convnext_w24": (1_434_352, 1_243_282, 205.57),
    "convnext_w24_shallow": (1_275_760, 1_084_690, 174.82),
    "convnext_atto": (3_695_520, 3_377_730, 547.33),
    "convnext_atto_ols": (3_702_912, 3_385_122, 576.53),
    "convnext_femto": (5_217_784, 4_836_634, 779.63),
    "convnext_femto_ols": (5_226_520, 4_845_370, 813.05),
    "convnext_pico": (9_045_672, 8_537_802, 1367.06),
    "timm:convnext_zepto_rms": (2_155_656, 1_901_226, 302.14),
    "timm:convnext_zepto_rms_ols": (2_164_232, 1_909_802, 337.06),
    "convnextv2_atto": (3_708_400, 3_390_610, 547.33),
    "convnextv2_femto": (5_233_240, 4_852_090, 779.63),
    "convnextv2_pico": (9_066_280, 8_558_410, 1367.06),
    "starnet_s050": (542_728, 415_018, 91.29),
    "starnet_s100": (1_043_280, 883_890, 185.63),
    "starnet_s150": (1_560_616, 1_369_546, 227.38),
    "starnet_s1": (2_869_168, 2_678_098, 421.88),
    "starnet_s2": (3_682_024, 3_427_594, 544.11),
    "starnet_s3": (5_750_792, 5_496_362, 754.00),
    "starnet_s4": (7_482_728, 7_228_298, 1049.56),
    "demonet_star_d12_w32": (191_304, 158_634, 30.21),
    "demonet_star_d12_w64": (602_792, 538_442, 103.78),
    "demonet_star_d12_w96": (1_235_464, 1_139_434, 220.69),
    "demonet_star_d12_w128": (2_089_320, 1_961_610, 380.96),
    "demonet_star_d12_w160": (3_164_360, 3_004_970, 584.58),
    "demonet_star_d12_w192": (4_460_584, 4_269_514, 831.56),
    "demonet_star_d12_w224": (5_977_992, 5_755_242, 1121.88),
    "demonet_star_d12_w256": (7_716_584, 7_462_154, 1455.56),
    "demonet_star_d12_w288": (9_676_360, 9_390_250, 1832.59),
    "demonet_star_d12_w320": (11_857_320, 11_539_530, 2252.97),
    "demonet_star_d12_w384": (16_882_792, 16_501_642, 3223.79),
    "demonet_star_d12_w448": (22_793_000, 22_348_490, 4368.02),
    "demonet_star_d6_w192": (2_400_808, None, 430.33),
    "demonet_star_d8_w192": (3_087_400, None, 564.07),
    "demonet_star_d10_w192": (3_773_992, None, 697.81),
    "demonet_star_d14_w192": (5_147_176, None, 965.30),
    "demonet_star_d16_w192": (5_833_768, None, 1099.05),
    "demonet_star_d18_w192": (6_520_360, None, 1232.79),
    "demonet_star_d20_w192": (7_206_952, None, 1366.53),
    "demonet_star_d22_w192": (7_893_544, None, 1500.28),
    "demonet_star_d24_w192": (8_580_136, None, 1634.02),
    # the readings of NoDepth in ConvNeXt's frame
    "nodepth_a_w16": (665_272, 537_562, 86.6),
    "nodepth_a_w24": (1_389_088, None, 191.3),
    "nodepth_a_w32": (2_374_024, None, 336.9),
    "nodepth_a_w40": (3_620_080, None, 523.5),
    "nodepth_b_w16": (239_752, 112_042, 17.6),
    "nodepth_b_w24": (439_120, None, 37.7),
    "nodepth_b_w32": (691_816, None, 65.3),
    "nodepth_b_w40": (997_840, None, 100.4),
    "nodepth_bp_w16": (657_912, 530_202, 84.4),
    "nodepth_bp_w24": (1_378_048, None, 188.1),
    "nodepth_bp_w32": (2_359_304, None, 332.6),
    "nodepth_bp_w40": (3_601_680, None, 518.1),
    "nodepth_c_w16": (243_000, 115_290, 19.1),
    "nodepth_c_w24": (441_184, None, 39.5),
    "nodepth_c_w32": (690_824, None, 67.2),
    "nodepth_c_w40": (991_920, None, 102.0),
}

# network: parameters of the classifier and of what widens before it, with 1000 classes
HEADS = {
    "mobilenetv1_x0.25": 257_000,
    "mobilenetv1_x0.5": 513_000,
    "mobilenetv2_x0.1": 1_324_520,
    "mobilenetv2_x0.25": 1_385_960,
    "mobilenetv2_x0.5": 1_488_360,
    "mobilenetv3_small_1280_x0.25": 1_470_344,
    "mobilenetv3_small_1280_x1.0": 2_076_008,
    "mobilenetv3_large_1280_x0.25": 1_599_560,
    "mobilenext_x0.1": 1_585_320,
    "mobilenext_x0.25": 1_616_856,
    "starnet_s050": 129_000,
    "starnet_s150": 193_000,
    "convnext_atto": 321_000,
}


def shapes_of(name: str, classes: int, size: int = 224) -> nn.Module:
    """A network without values; timm's adapter runs an image through, so it has them."""
    if name.startswith("timm:"):
        return timm_adapter.build(name, classes=classes, in_channels=3, size=size)
    with torch.device("meta"):
        return published.build(name, classes=classes, in_channels=3, size=size)


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_equal_the_reference(name):
    thousand, ten, _ = COUNTS[name]
    assert count_parameters(shapes_of(name, 1000)).total == thousand
    if ten is not None:
        assert count_parameters(shapes_of(name, 10)).total == ten


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_macs_equal_the_reference(name):
    expected = COUNTS[name][2]
    tolerance = 0.051 if name.startswith("nodepth") else 0.0051  # half of the last digit that is given
    assert count_macs(shapes_of(name, 1000), 3, 224) / 1e6 == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", HEADS)
def test_heads_equal_the_reference(name):
    assert count_parameters(shapes_of(name, 1000)).head == HEADS[name]


@pytest.mark.parametrize(("width", "macs"), [(0.5, 27.97), (0.75, 59.31), (1.0, 87.98)])
def test_macs_of_mobilenetv2_at_32_pixels_equal_the_published_ones(width, macs):
    # chenyaofo/pytorch-cifar-models, which has stem and 24-channel stage at stride 1
    net = shapes_of(f"mobilenetv2_x{width}", classes=10, size=32)
    assert count_macs(net, 3, 32) / 1e6 == pytest.approx(macs, abs=0.005)


@pytest.mark.parametrize("star", ["starnet", "demonet_star"])
def test_star_and_sum_differ_in_nothing_but_the_operator(star):
    sizes = {"starnet": "s100", "demonet_star": "d12_w96"}
    nets = [shapes_of(f"{name}_{sizes[star]}", 1000) for name in (star, f"{star.removesuffix('_star')}_sum")]
    assert len({count_parameters(net).total for net in nets}) == 1
    assert len({count_macs(net, 3, 224) for net in nets}) == 1


def test_counts_equal_timms_for_networks_at_hand():
    ours = shapes_of("mobilenetv2_x1.4", 1000)
    theirs = timm.create_model("mobilenetv2_140")
    assert count_parameters(ours).total == sum(p.numel() for p in theirs.parameters())
