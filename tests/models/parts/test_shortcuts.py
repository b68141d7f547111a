"""LAuReL and the cascade: the block itself in a special case, and counts."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lowparam.models.cost import count_parameters
from lowparam.models.parts import cascade, laurel_lr, laurel_rw, laurel_rwlr
from lowparam.models.skeletons import controlled

IMAGES = {"classes": 10, "in_channels": 1, "size": 8}
X, Y = torch.randn(2, 6, 4, 4), torch.randn(2, 6, 4, 4)


@pytest.mark.parametrize("part", [laurel_rw, laurel_lr, laurel_rwlr])
def test_laurel_begins_at_the_plain_sum(part):
    torch.testing.assert_close(part.make(6)(X, Y), X + Y, rtol=0, atol=1e-6)


@pytest.mark.parametrize("part", [laurel_rw, laurel_rwlr])
def test_weights_are_twice_a_softmax_branch_first(part):
    join = part.make(6)
    with torch.no_grad():
        join.logits.copy_(torch.tensor([3.0, 1.0]).log())
    torch.testing.assert_close(join(X, Y), 1.5 * Y + 0.5 * X)


@pytest.mark.parametrize("part", [laurel_lr, laurel_rwlr])
def test_a_shortcut_of_full_rank_is_any_linear_map(part):
    join, wanted = part.make(6, rank=6), torch.randn(6, 6)
    with torch.no_grad():
        join.shortcut.down.weight.copy_(torch.eye(6)[:, :, None, None])
        join.shortcut.up.weight.copy_((wanted - torch.eye(6))[:, :, None, None])
    torch.testing.assert_close(join(X, Y), Y + torch.einsum("oi,nihw->nohw", wanted, X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("laurel_rw", lambda c: 2),
        ("laurel_lr", lambda c: 2 * c * (c // 16)),
        ("laurel_rwlr", lambda c: 2 * c * (c // 16) + 2),
        ("cascade", lambda c: 2 * c**2 + c),
    ],
)
def test_each_shortcut_costs_the_closed_form(part, count):
    plain, net = (controlled.build(name, 32.0, **IMAGES) for name in ("mobilenetv2", f"mobilenetv2+{part}"))
    widths = [block.out_channels for row in plain.stages for block in row if block.residual]
    assert widths == [32, 32, 64, 128]
    assert count_parameters(net).total - count_parameters(plain).total == sum(map(count, widths))


def test_a_dropped_branch_leaves_the_shortcut_alone():
    net = controlled.build("mobilenetv2+laurel_rw", 8.0, **IMAGES)
    net.regularise(dropout=0.0, drop_path=1.0)
    block, x = net.stages[2][1], torch.randn(2, 32, 2, 2)
    torch.testing.assert_close(block.train()(x), x)


def test_a_cascade_that_copies_its_newer_half_is_a_residual_unit():
    join = cascade.make(6)
    with torch.no_grad():
        join.mix.weight.copy_(torch.cat((torch.zeros(6, 6), torch.eye(6)), 1)[:, :, None, None])
        nn.init.zeros_(join.mix.bias)
    torch.testing.assert_close(join(X, Y), F.relu(X + Y), rtol=0, atol=1e-6)
