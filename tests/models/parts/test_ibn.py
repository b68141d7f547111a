"""IBN: its special cases, its invariance, its count, and the norms that it takes the place of."""

import pytest
import torch
from torch import nn

from lowparam.models.parts.ibn import InstanceBatchNorm2d
from lowparam.models.skeletons import controlled


@pytest.mark.parametrize(("share", "plain"), [(0.0, nn.BatchNorm2d(5)), (1.0, nn.InstanceNorm2d(5, affine=True))])
def test_a_share_of_nothing_is_batch_norm_and_of_all_instance_norm(share, plain):
    x = torch.randn(4, 5, 3, 3)
    torch.testing.assert_close(InstanceBatchNorm2d(5, share)(x), plain(x), rtol=0, atol=1e-6)


def test_the_first_half_ignores_the_scale_and_shift_of_an_image():
    norm, x = InstanceBatchNorm2d(5).double().eval(), 10 * torch.randn(4, 5, 6, 6, dtype=torch.double)
    changed = torch.rand(4, 1, 1, 1).double().add(0.5) * x + torch.randn(4, 1, 1, 1).double()
    same = (norm(changed) - norm(x)).abs().amax((0, 2, 3)) < 1e-5
    assert same.tolist() == [True, True, False, False, False]  # the spare channel has batch norm
    assert sum(p.numel() for p in norm.parameters()) == 2 * 5


def test_it_is_the_first_norm_of_each_block_but_the_last_stages():
    net = controlled.build("mobilenetv2+ibn", 8.0, classes=10, in_channels=1, size=8)
    found = {name for name, module in net.stages.named_modules() if isinstance(module, InstanceBatchNorm2d)}
    assert found == {f"{stage}.{block}.expand.norm" for stage in (0, 1) for block in (0, 1)}
    assert type(net.stages[2][0].expand.norm) is nn.BatchNorm2d
    assert type(net.stages[0][0].project.norm) is nn.BatchNorm2d
