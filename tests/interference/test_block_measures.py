"""Linearity, ablation and activations of blocks: exact values of blocks that are linear, dead, or known."""

import math

import pytest
import torch
from torch import nn

from lowparam.interference.branches import branches
from lowparam.interference.context import Context
from lowparam.interference.held_out import GivenImages, held_out
from lowparam.interference.measures import block_ablation, block_linearity, channel_linearity
from lowparam.models.blocks import Block, Site
from lowparam.models.layers import Product
from lowparam.models.probes.solu import SoLU
from lowparam.models.skeletons.controlled import build
from lowparam.params import Profile

SETTINGS = Profile(images=400, folds=10, null_draws=10)


class Branch(Block):
    """A block whose branch is any module."""

    def __init__(self, channels: int, branch: nn.Module) -> None:
        super().__init__(channels, channels, stride=1)
        self.inside = branch

    def branch(self, x):
        return self.inside(x)

    def inner_sites(self):
        return []


class Tiny(nn.Module):
    """Blocks, a mean over positions, and a linear classifier."""

    def __init__(self, *blocks: nn.Module, channels: int, classes: int = 4) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(self.blocks(x).mean((2, 3)))

    def sites(self):
        return {f"{number}.stream": Site("stream", block) for number, block in enumerate(self.blocks)}


def gaussian(images: int, channels: int, size: int = 4, classes: int = 4) -> GivenImages:
    x = torch.randn(images, channels, size, size, generator=torch.Generator().manual_seed(0))
    return GivenImages(x, torch.arange(images) % classes, [str(k) for k in range(classes)])


def values(measure, net: nn.Module, images) -> dict[str, list]:
    net.eval()
    found: dict[str, list] = {}
    for value in measure(Context(net, net.sites(), images, SETTINGS)):
        found.setdefault(value.measure, []).append(value)
    return found


def test_a_branch_is_seen_and_can_be_replaced_whatever_the_kind_of_block():
    torch.manual_seed(0)
    ours, theirs = Branch(3, nn.Conv2d(3, 3, 1)), nn.Sequential(nn.Conv2d(3, 3, 1))
    x, seen = torch.randn(2, 3, 4, 4), {}

    def see(name, given, branch):
        seen[name] = branch
        return torch.zeros_like(branch)

    with branches({"ours": ours, "theirs": theirs}, see):
        assert torch.equal(ours(x), x)
        assert torch.equal(theirs(x), x)  # as if it had a shortcut
    torch.testing.assert_close(seen["ours"], ours.inside(x))
    torch.testing.assert_close(seen["theirs"], theirs(x) - x)
    assert not torch.equal(ours(x), x)  # nothing stays


def test_linear_blocks_are_linear_in_the_neighbourhood_and_depthwise_ones_not_at_a_position():
    torch.manual_seed(0)
    pointwise = Branch(6, nn.Conv2d(6, 6, 1))
    depthwise = Branch(6, nn.Conv2d(6, 6, 3, padding=1, groups=6))
    found = values(block_linearity.measure, Tiny(pointwise, depthwise, channels=6), gaussian(400, 6))
    assert [value.value for value in found["linearity_branch_3x3"]] == pytest.approx([1, 1], abs=1e-4)
    at, around = found["linearity_branch"]
    assert at.value == pytest.approx(1, abs=1e-4)
    kernel = depthwise.inside.weight.detach().flatten(1)
    assert around.value < 0.9
    # The noise is still white over positions, so of a filter one position sees the tap in the centre.
    centre = (kernel[:, 4] ** 2).sum() / (kernel**2).sum()
    assert around.value == pytest.approx(centre.item(), abs=0.1)


def test_rectified_gaussian_channels_are_linear_by_their_closed_form():
    torch.manual_seed(0)
    mix = nn.Conv2d(8, 8, 1, bias=False)
    nn.init.orthogonal_(mix.weight)
    found = values(
        block_linearity.measure, Tiny(Branch(8, nn.Sequential(mix, nn.ReLU())), channels=8), gaussian(1000, 8)
    )
    closed = 0.25 / (0.5 - 1 / (2 * math.pi))
    assert found["linearity_branch"][0].value == pytest.approx(closed, abs=0.01)
    assert found["linearity_branch"][0].lower < closed < found["linearity_branch"][0].upper


def test_a_branch_of_noise_is_not_linear_and_the_stream_is_by_its_shortcut():
    class Noise(nn.Module):
        def forward(self, x):
            return torch.randn(x.shape, generator=torch.Generator().manual_seed(1))

    found = values(block_linearity.measure, Tiny(Branch(8, Noise()), channels=8), gaussian(1000, 8))
    assert found["linearity_branch"][0].value == pytest.approx(0, abs=0.01)
    assert found["linearity_block"][0].value == pytest.approx(0.5, abs=0.02)  # 1 / (1 + r^2) at r = 1


def test_a_block_that_adds_nothing_has_no_effect_and_one_that_is_constant_neither():
    torch.manual_seed(0)
    dead, constant = nn.Conv2d(5, 5, 1), nn.Conv2d(5, 5, 1)
    nn.init.zeros_(dead.weight), nn.init.zeros_(dead.bias), nn.init.zeros_(constant.weight)
    net = Tiny(Branch(5, dead), Branch(5, constant), Branch(5, nn.Conv2d(5, 5, 1)), channels=5)
    found = values(block_ablation.measure, net, gaussian(200, 5))
    for measure in ("block_effect", "block_effect_resampled", "block_divergence"):
        assert [value.value for value in found[measure]][:2] == pytest.approx([0, 0], abs=1e-6), measure
    assert found["block_divergence"][2].value > 0


def test_blocks_on_channels_of_their_own_before_a_linear_readout_do_not_interact():
    torch.manual_seed(0)

    class Own(nn.Module):
        def __init__(self, first: int) -> None:
            super().__init__()
            self.conv, self.first = nn.Conv2d(4, 4, 1), first

        def forward(self, x):
            own = x[:, self.first : self.first + 4]
            y = torch.zeros_like(x)
            y[:, self.first : self.first + 4] = self.conv(own).relu()
            return y

    apart = values(block_ablation.measure, Tiny(Branch(8, Own(0)), Branch(8, Own(4)), channels=8), gaussian(200, 8))
    assert [value.value for value in apart["block_interaction"]] == pytest.approx([0, 0], abs=1e-9)
    shared = values(block_ablation.measure, Tiny(Branch(8, Own(0)), Branch(8, Own(0)), channels=8), gaussian(200, 8))
    assert shared["block_interaction"][0].value > 1e-3


def test_the_effect_of_the_only_informative_block_is_all_accuracy_above_chance():
    labels = torch.arange(400) % 4
    x = nn.functional.one_hot(labels, 4).float()[:, :, None, None].expand(-1, -1, 4, 4)
    branch = nn.Conv2d(4, 4, 1, bias=False)
    with torch.no_grad():
        branch.weight.copy_(2 * torch.eye(4)[:, :, None, None])  # 2 x - x = x: what is left of the shortcut
    net = Tiny(Branch(4, branch), channels=4)
    with torch.no_grad():  # of the stream 3 x the classifier reads only what is above the shortcut's 1
        net.classifier.weight.copy_(torch.eye(4)), net.classifier.bias.copy_(torch.tensor([1e-3, 0, 0, 0]))
    found = values(block_ablation.measure, net, GivenImages(x, labels, list("abcd")))
    assert found["block_effect"][0].value == pytest.approx(0, abs=1e-9)  # the shortcut still tells the classes
    assert found["block_effect_resampled"][0].value == pytest.approx(75, abs=15)  # another image outvotes it


@pytest.mark.parametrize(
    ("activation", "linearity"),
    [
        *((nn.Identity(), None), (nn.ReLU(), 0.7335), (nn.ReLU6(), 0.734), (nn.GELU(), 0.724)),
        *((nn.SiLU(), 0.799), (nn.Hardswish(), 0.823), (SoLU(), 0.533)),
    ],
)
def test_activations_of_standard_normal_channels_have_the_known_linearity(activation, linearity):
    found = values(channel_linearity.measure, Tiny(Branch(8, activation), channels=8), gaussian(400, 8, size=8))
    if linearity is None:
        assert "channel_linearity" not in found
        return
    (value,) = found["channel_linearity"]
    assert value.value == pytest.approx(linearity, abs=0.01)
    assert value.null == pytest.approx(linearity, abs=0.015)


def test_a_product_of_independent_branches_is_linear_by_the_mean_of_the_other():
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.times = Product()

        def forward(self, x):
            first, second = x.chunk(2, 1)
            return self.times(first + 2, second + 1).repeat(1, 2, 1, 1)

    found = values(channel_linearity.measure, Tiny(Branch(8, Pair()), channels=8), gaussian(400, 8, size=8))
    assert found["channel_linearity"][0].value == pytest.approx(1 / (1 + 4 + 1), abs=0.01)  # m2^2 / (1 + m1^2 + m2^2)


def test_channels_that_are_always_on_are_linear_and_cost_nothing():
    torch.manual_seed(0)
    net = Tiny(Branch(4, nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())), channels=4)
    with torch.no_grad():
        net.blocks[0].inside[0].bias.fill_(50)
    found = values(channel_linearity.measure, net, gaussian(200, 4))
    assert found["channel_linearity"][0].value == pytest.approx(1)
    assert found["linearisable_share"][0].value == 1
    images = gaussian(200, 4)
    with torch.no_grad():
        right = (net(images.inputs).argmax(1) == images.labels).double().mean().item()
    assert found["all_linear_accuracy"][0].value == pytest.approx(100 * right)


def test_the_share_is_interpolated_where_one_point_is_lost():
    from lowparam.interference.measures.channel_linearity import _linearisable

    accuracies = torch.tensor([90.0, 90, 89.5, 87.5, 80, 70, 60, 50, 40, 30, 20]).numpy()
    assert _linearisable(accuracies) == pytest.approx(0.2 + 0.1 * 0.5 / 2)


@pytest.mark.parametrize("architecture", ["mobilenetv2", "convnext", "starnet"])
def test_real_networks_are_measured_and_stay_as_they_are(architecture, digits):
    torch.manual_seed(0)
    net = build(architecture, 8.0, classes=10, in_channels=1, size=8).eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    images = held_out(digits, 64)
    for measure in (block_linearity.measure, block_ablation.measure, channel_linearity.measure):
        found = [value for of in values(measure, net, images).values() for value in of]
        assert any(math.isfinite(value.value) for value in found)
        assert all(value.note for value in found if not math.isfinite(value.value))
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
