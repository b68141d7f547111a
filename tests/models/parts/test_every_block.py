"""Every part on every block that can take it: sizes, budgets, gradients, checkpoints, and the block's own sites."""

import copy

import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy
from torch.overrides import TorchFunctionMode

from lowparam import registry
from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.budget import TOLERANCE, solve_width
from lowparam.models.cost import count_parameters
from lowparam.models.skeletons import controlled
from lowparam.params import Recipe
from lowparam.training.optimizer import make_optimizer

PARTS = registry.entries("models/parts")
QUICK = ["mobilenetv1", "mobilenetv2", "convnext", "nodepth_bp"]  # all kinds of norms, gates and shortcuts
HOSTS = ["mobilenetv2", "mobilenetv3", "nodepth_b", "convnext"]
"""Between them they can take every part."""
BLOCKS = [pytest.param(QUICK, id="quick"), pytest.param(blocks.names(), id="all", marks=pytest.mark.slow)]

COARSE = {
    "allcnn": ["ela_s", "spd"],
    "cdc": ["tucker"],
    "crate": ["aliasfree", "hypernetwork", "pade", "polynomial"],
    "edgenext_split": ["hypernetwork"],
    "lsnet": ["hypernetwork"],
    "mobilevit": [
        "aliasfree",
        "cp",
        "ela_b",
        "ela_l",
        "ela_t",
        "flexconv",
        "frozen",
        "frozen_lc",
        "hypernetwork",
        "kan",
        "nonorm",
        "oneway_layer",
        "pade",
        "paon",
        "polynomial",
        "pranc_bin",
        "se_r8",
        "shift",
        "spd",
        "spiral",
    ],
    "pyramidnet": ["ela_b", "nonorm", "se"],
    "replknet": ["hypernetwork"],
    "replknet_plain": ["tucker"],
    "spartan": ["flexconv", "kan", "tucker"],
    "swiftformer_encoder": ["se_r8"],
    "visualtokens": ["gramian", "hypernetwork", "laurel_lr", "laurel_rwlr"],
    "wideresnet": ["ela_b", "ela_s", "ela_t", "noshortcut", "oneway_layer", "se", "spd"],
}
"""Parts by block: pairs of which no width has 25,000 or 100,000 parameters within 2 %, at one of both sizes.

Their channels come in steps of heads, groups or ranks, so the next width is 4 to 8 % larger.
"""
STEP = 0.042
"""How far from the budget these are at most."""


def network(block, part, size=8, width=8.0, device="cpu", in_channels=1):
    """Build a block with a part, or return why it cannot be."""
    with torch.device(device):
        try:
            return controlled.build(f"{block}+{part}", width, classes=10, in_channels=in_channels, size=size)
        except LowparamError as refused:
            return str(refused)


class NoInitialValues(TorchFunctionMode):
    """Leave out the initial values of parameters without storage, which take most of the time to count them."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func.__name__ in {"normal_", "uniform_", "zero_", "fill_"} and args and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


def host_of(part):
    """Return the first block that takes the part."""
    return next(block for block in HOSTS if not isinstance(network(block, part, device="meta"), str))


def steps(net, optimizer, images, classes, seeds):
    """Train for a step with each seed; return the loss of every step."""
    losses = []
    for seed in seeds:
        torch.manual_seed(seed)  # of what is dropped
        optimizer.zero_grad()
        loss = cross_entropy(net.train()(images), classes)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


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


@pytest.mark.parametrize("part", PARTS)
def test_a_part_takes_images_of_all_sizes(part):
    for size in (8, 28, 32, 64):
        for in_channels in (1, 3):
            net = network(host_of(part), part, size, device="meta", in_channels=in_channels)
            assert net(torch.empty(2, in_channels, size, size, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_laid_out_as_training_does(part):
    """Torch refuses a parameter or buffer of five dimensions."""
    network(host_of(part), part).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("part", PARTS)
def test_steps_on_digits_lower_the_loss_and_resume_from_a_checkpoint_bit_for_bit(part):
    recipe = Recipe(epochs=1, batch_size=64, lr=0.003, weight_decay=0.1)
    images, classes = (torch.tensor(each[:64]) for each in load_digits(return_X_y=True))
    images = (images.float() / 8 - 1).reshape(-1, 1, 8, 8)
    torch.manual_seed(0)
    net = network(host_of(part), part)
    net.plan(20)
    optimizer = make_optimizer(net, recipe)
    losses = steps(net, optimizer, images, classes, range(8))
    assert losses[-1] < losses[0]
    torch.manual_seed(1)
    resumed = network(host_of(part), part)
    resumed.plan(20)
    other = make_optimizer(resumed, recipe)
    resumed.load_state_dict(copy.deepcopy(net.state_dict()))
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert steps(resumed, other, images, classes, (8, 9)) == steps(net, optimizer, images, classes, (8, 9))
    states = net.state_dict(), resumed.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def count(architecture, width, size):
    with torch.device("meta"):
        net = controlled.build(architecture, width, classes=10, in_channels=1, size=size)
    return count_parameters(net).total


def nearest(architecture, budget, size, start):
    """Return a width with parameters near a budget, and how many: by a few steps from a width near it, else solved.

    Counts grow about as the square of the width, so most need two or three networks, where `solve_width` needs twenty.
    """
    width = start
    for _ in range(4):
        parameters = count(architecture, width, size)
        if abs(parameters - budget) <= TOLERANCE * budget:
            return width, parameters
        width = max(1.0, width * (budget / parameters) ** 0.5)
    try:
        width = solve_width(architecture, budget, classes=10, in_channels=1, size=size)
    except LowparamError as refused:
        return start, int(str(refused).rsplit(" ", 1)[1].replace(",", ""))
    return width, count(architecture, width, size)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks.names())
@pytest.mark.parametrize("part", PARTS)
def test_a_part_meets_the_budgets(part, block):
    width, farthest = 8.0, 0.0
    for budget in (25_000, 100_000):
        for size in (8, 32):
            if isinstance(network(block, part, size, device="meta"), str):
                continue
            with NoInitialValues():
                width, parameters = nearest(f"{block}+{part}", budget, size, start=width)
            farthest = max(farthest, abs(parameters / budget - 1))
    coarse = part in COARSE.get(block, [])
    assert (TOLERANCE if coarse else -1) < farthest <= (STEP if coarse else TOLERANCE)
