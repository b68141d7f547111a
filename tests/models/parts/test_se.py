"""Squeeze-and-excitation at several ratios: timm's layer, SENetV2's, and counts."""

import pytest
import timm.layers
import torch
from torch import nn

from lowparam.models.parts import se_r8, se_r16


@pytest.mark.parametrize(("part", "ratio"), [(se_r8, 8), (se_r16, 16)])
def test_it_is_timms_layer_of_that_ratio(part, ratio):
    ours, theirs = part.make(64), timm.layers.SEModule(64, rd_ratio=1 / ratio, rd_divisor=1)
    theirs.load_state_dict(
        {k.replace("reduce", "fc1").replace("expand", "fc2"): v for k, v in ours.state_dict().items()}
    )
    x = torch.randn(2, 64, 4, 4)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-6)
    assert sum(p.numel() for p in ours.parameters()) == 2 * 64**2 // ratio + 64 + 64 // ratio


def test_senetv2_of_ratio_32_with_four_branches_is_ratio_8():
    branches, out = [nn.Linear(64, 2) for _ in range(4)], nn.Linear(8, 64)
    gate = se_r8.make(64)
    with torch.no_grad():
        gate.reduce.weight.copy_(torch.cat([b.weight for b in branches])[..., None, None])
        gate.reduce.bias.copy_(torch.cat([b.bias for b in branches]))
        gate.expand.weight.copy_(out.weight[..., None, None])
        gate.expand.bias.copy_(out.bias)
    x = torch.randn(2, 64, 4, 4)
    s = x.mean((2, 3))
    v2 = x * out(torch.cat([b(s).relu() for b in branches], 1)).sigmoid()[..., None, None]
    torch.testing.assert_close(gate(x), v2, rtol=0, atol=1e-6)
    assert sum(p.numel() for m in [*branches, out] for p in m.parameters()) == sum(p.numel() for p in gate.parameters())
