"""PRepBN: layer norm at first, RepBN in the end, a batch norm in eval mode, and a schedule that a checkpoint keeps."""

import pytest
import torch
from torch import nn

from lowparam.interference.pointwise import output_factor
from lowparam.models.blocks.base import foldable
from lowparam.models.cost import count_parameters, weight_bytes
from lowparam.models.layers import LayerNorm2d
from lowparam.models.parts import prepbn, repbn
from lowparam.models.skeletons.controlled import build

IMAGES = {"classes": 10, "in_channels": 1, "size": 8}


def drawn(norm: nn.Module) -> nn.Module:
    """Give a norm random values and running statistics of 5 channels."""
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    norm.batch.running_mean.normal_()
    norm.batch.running_var.uniform_(0.5, 2)
    return norm


def rep(norm: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return norm.batch(x) + norm.eta * x


def test_the_first_pass_is_layer_norm_and_the_last_ones_are_repbn():
    norm, x = drawn(prepbn.make(5)), torch.randn(4, 5, 3, 3)
    norm.plan(25)  # lambda is 0 after 4 passes
    assert isinstance(norm.layer, LayerNorm2d)
    for shares in (1, 0.75, 0.5, 0.25, 0, 0):
        expected = shares * norm.layer(x) + (1 - shares) * rep(norm, x)
        torch.testing.assert_close(norm(x), expected, rtol=1e-5, atol=1e-5)
    assert norm.passes == 6


@pytest.mark.parametrize("part", [prepbn, repbn])
def test_in_eval_mode_it_is_a_batch_norm_with_its_weight_and_bias_whatever_lambda(part):
    norm, x = drawn(part.make(5)).double(), torch.randn(4, 5, 3, 3, dtype=torch.double)
    norm.plan(100)
    plain = nn.BatchNorm2d(5).double().eval()
    plain.load_state_dict(norm.batch.state_dict())
    with torch.no_grad():
        plain.weight.copy_(norm.weight)
        plain.bias.copy_(norm.bias)
    torch.testing.assert_close(norm.eval()(x), plain(x))
    assert norm.passes == 0


def test_without_a_plan_and_without_a_share_it_is_repbn():
    x = torch.randn(4, 5, 3, 3)
    for norm in (drawn(prepbn.make(5)), drawn(repbn.make(5))):
        norm.plan(0)
        torch.testing.assert_close(norm(x), rep(norm, x), rtol=1e-5, atol=1e-5)
        with torch.no_grad():
            norm.eta.zero_()
        torch.testing.assert_close(norm(x), norm.batch(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("part", ["prepbn", "repbn"])
def test_what_remains_after_training_is_counted(part):
    plain, net = (build(name, 8.0, **IMAGES) for name in ("mobilenetv2", f"mobilenetv2+{part}"))
    assert count_parameters(net).total - count_parameters(plain).total == 18  # one eta a norm
    assert weight_bytes(net, 4) - weight_bytes(plain, 4) == 4 * 18


def test_it_is_folded_as_the_batch_norm_that_it_is():
    net = build("mobilenetv2+prepbn", 8.0, **IMAGES)
    block = net.stages[1][1]
    norm = drawn(block.project.norm)
    assert foldable(norm) is norm
    site = next(site for site in block.sites() if site.kind == "projection")
    expected = norm.batch.weight / (norm.batch.running_var + norm.eps).sqrt() + norm.eta
    torch.testing.assert_close(output_factor(site, 16).float(), expected.detach(), rtol=1e-5, atol=1e-5)


def test_a_network_tells_its_norms_the_steps_and_its_state_has_the_passes():
    net = build("mobilenetv2+prepbn", 8.0, **IMAGES)
    net.plan(1000)
    norm = net.stages[0][0].expand.norm
    assert norm.until == 160
    net.train()(torch.rand(2, 1, 8, 8))
    assert net.state_dict()["stages.0.0.expand.norm.passes"] == 1
