"""The design space holds the other blocks as points, and one-factor changes of them."""

from dataclasses import asdict, replace

import pytest
import torch

from lowparam.models import blocks
from lowparam.models.blocks.design_space import ABLATIONS, POINTS, block_at
from lowparam.models.cost import count_parameters
from lowparam.models.make import Make
from lowparam.models.skeletons import controlled

SHAPES = [(12, 12, 1), (12, 12, 2), (12, 24, 2), (12, 24, 1)]
NETWORK = {"classes": 10, "in_channels": 1, "size": 8}


@pytest.mark.parametrize(("before", "after", "stride"), SHAPES)
@pytest.mark.parametrize("start", POINTS)
def test_a_block_equals_its_point_on_the_same_weights(start, before, after, stride):
    torch.manual_seed(0)
    original, point = blocks.find(start), blocks.find(f"ablation_{start}")
    hidden = round(original.hidden_width(before, after))
    assert round(point.hidden_width(before, after)) == hidden
    ours, theirs = (kind(before, after, stride=stride, hidden=hidden).double() for kind in (point, original))
    mine, given = ours.state_dict(), theirs.state_dict()
    assert [tensor.shape for tensor in mine.values()] == [tensor.shape for tensor in given.values()]
    values = [torch.rand_like(t) + 0.1 if t.is_floating_point() else t for t in given.values()]
    ours.load_state_dict(dict(zip(mine, values, strict=True)))
    theirs.load_state_dict(dict(zip(given, values, strict=True)))
    x = torch.randn(3, before, 7, 7, dtype=torch.double)
    for training in (True, False):
        expected = theirs.train(training)(x)
        torch.testing.assert_close(ours.train(training)(x), expected)


CHANGES = {
    "batchnorm": {"norm": "batch"},
    "layernorm": {"norm": "layer"},
    "nonorm": {"norm": "none"},
    "relu": {"activation": "relu"},
    "relu6": {"activation": "relu6"},
    "gelu": {"activation": "gelu"},
    "hardswish": {"activation": "hardswish"},
    "linear": {"activation": "none"},
    "noshortcut": {"shortcut": "none", "scale": False},
    "se": {"excite": True},
    "nose": {"excite": False},
    "scale": {"scale": True},
    "noscale": {"scale": False},
}
"""The setting of the design space that a part is."""


def parted():
    """Each start with each part that changes it and that its block has a place for."""
    for start, point in POINTS.items():
        for part, change in CHANGES.items():
            changed = replace(point, **change)
            if changed != point and changed.possible:
                yield start, part, changed


@pytest.mark.parametrize(("start", "part", "changed"), list(parted()))
def test_a_part_is_the_one_factor_change_of_the_design_space(start, part, changed):
    for before, after, stride in SHAPES:
        torch.manual_seed(0)
        hidden = round(blocks.find(start).hidden_width(before, after))
        make = Make.of(f"{start}+{part}")
        given = blocks.find(start)(before, after, stride=stride, hidden=hidden, make=make).double()
        ours = block_at(changed)(before, after, stride=stride, hidden=hidden).double()
        mine, theirs = ours.state_dict(), given.state_dict()
        assert [tensor.shape for tensor in mine.values()] == [tensor.shape for tensor in theirs.values()]
        values = [torch.rand_like(t) + 0.1 if t.is_floating_point() else t for t in theirs.values()]
        ours.load_state_dict(dict(zip(mine, values, strict=True)))
        given.load_state_dict(dict(zip(theirs, values, strict=True)))
        x = torch.randn(3, before, 7, 7, dtype=torch.double)
        torch.testing.assert_close(ours.eval()(x), given.eval()(x))


@pytest.mark.parametrize("start", POINTS)
def test_a_network_of_points_has_the_count_of_its_original(start):
    counts = [count_parameters(controlled.build(name, 10.3, **NETWORK)).total for name in (start, f"ablation_{start}")]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_one_factor_of_its_start(name):
    start = max((s for s in POINTS if name.startswith(f"ablation_{s}")), key=len)
    before, after = asdict(POINTS[start]), asdict(ABLATIONS[name].point)
    changed = {key for key in before if before[key] != after[key]}
    # The ends of a block turn from narrow to wide with the ratio; a layer scale goes with its shortcut.
    assert len(changed - {"shortcut", "scale"}) <= 1
    assert (name == f"ablation_{start}") == (not changed)
    if "ratio" in changed and changed != {"ratio"}:
        assert ABLATIONS[name].point.joins == POINTS[start].joins


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if "mobilenetv2" in name else pytest.mark.slow) for name in ABLATIONS],
)
def test_an_ablation_computes_and_learns(name):
    torch.manual_seed(0)
    net = controlled.build(name, 8.0, **NETWORK)
    net(torch.rand(4, 1, 8, 8)).square().sum().backward()
    for parameter, value in net.named_parameters():
        assert value.grad is not None, parameter
        assert value.grad.isfinite().all(), parameter


def test_the_wide_shortcut_of_an_expanding_block_goes_around_the_spatial_operator():
    torch.manual_seed(0)
    block = blocks.find("ablation_mobilenetv2_wide")(8, 8, stride=1, hidden=48).eval()
    assert not block.residual
    x = torch.rand(2, 8, 5, 5)
    h = block.inner(x)
    torch.testing.assert_close(block(x), block.outer(h + block.spatial_hidden(h)))


def test_ablations_do_not_crowd_the_list_of_architectures():
    assert not set(blocks.names()) & set(blocks.ablations())
    assert blocks.find("ablation_mobilenetv2_stream") is ABLATIONS["ablation_mobilenetv2_stream"]
