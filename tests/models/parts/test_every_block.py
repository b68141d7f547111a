"""Every part on every block that can take it: budgets, gradients, and the sites of the block without it."""

import pytest
import torch

from lowparam import registry
from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.budget import TOLERANCE, solve_width
from lowparam.models.cost import count_parameters
from lowparam.models.skeletons import controlled

PARTS = registry.entries("models/parts")
QUICK = ["mobilenetv1", "mobilenetv2", "convnext", "nodepth_bp"]  # all kinds of norms, gates and shortcuts
BLOCKS = [pytest.param(QUICK, id="quick"), pytest.param(blocks.names(), id="all", marks=pytest.mark.slow)]


def network(block, part, size=8, width=8.0, device="cpu"):
    """Build a block with a part, or return why it cannot be."""
    with torch.device(device):
        try:
            return controlled.build(f"{block}+{part}", width, classes=10, in_channels=1, size=size)
        except LowparamError as refused:
            return str(refused)


@pytest.mark.parametrize("names", BLOCKS)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_changes_no_site_or_is_refused_in_one_line(part, names):
    for block in names:
        net = network(block, part, device="meta")
        if isinstance(net, str):
            assert "\n" not in net
            assert f"+{part}" in net
            continue
        with torch.device("meta"):
            host = controlled.build(block, 8.0, classes=10, in_channels=1, size=8)
        assert [(name, site.kind) for name, site in net.sites().items()] == [
            (name, site.kind) for name, site in host.sites().items()
        ]


@pytest.mark.parametrize("names", BLOCKS)
@pytest.mark.parametrize("part", PARTS)
def test_the_gradient_reaches_every_learned_value(part, names):
    for block in names:
        torch.manual_seed(0)
        net = network(block, part)
        if isinstance(net, str):
            continue
        net.plan(100)  # as training does; some layers are there only in its first steps
        for parameter in net.parameters():  # what begins at zero would keep the gradient from others
            parameter.data += 0.1 * torch.randn_like(parameter)
        net.double()(torch.randn(8, 1, 8, 8, dtype=torch.double)).square().sum().backward()
        missed = [name for name, parameter in net.named_parameters() if parameter.grad is None]
        assert not missed, (block, missed)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks.names())
@pytest.mark.parametrize("part", PARTS)
def test_a_part_meets_the_budgets(part, block):
    for size in (8, 32):
        for budget in (25_000, 100_000):
            network_of = {"classes": 10, "in_channels": 1, "size": size}
            if isinstance(network(block, part, size, device="meta"), str):
                continue
            width = solve_width(f"{block}+{part}", budget, **network_of)
            with torch.device("meta"):
                net = controlled.build(f"{block}+{part}", width, **network_of)
            assert abs(count_parameters(net).total - budget) <= TOLERANCE * budget
