import pytest
import torch
from torch import nn

from lowparam.models.skeletons.controlled import build
from lowparam.params import Recipe
from lowparam.training.optimizer import make_optimizer, make_schedule, rate_factor

BASE = {"epochs": 10, "batch_size": 8, "lr": 0.1}


def test_only_weights_of_convolutions_and_linear_layers_decay():
    net = build("convnext", 8.0, classes=10, in_channels=1, size=8)
    decaying, free = make_optimizer(net, Recipe(**BASE, weight_decay=0.05)).param_groups
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.05, 0)
    names = {parameter: name for name, parameter in net.named_parameters()}
    assert {names[p].rsplit(".", 1)[1] for p in decaying["params"]} == {"weight"}
    assert not any("norm" in names[p] or "scale" in names[p] for p in decaying["params"])
    assert all(names[p].endswith(("bias", "gamma")) or "norm" in names[p] for p in free["params"])
    assert len(decaying["params"]) + len(free["params"]) == len(names)


def test_the_first_step_of_lamb_is_that_of_its_formula():
    """You et al. 2020, algorithm 2: the update of Adam, scaled for each layer to the norm of its weights."""
    torch.manual_seed(0)
    net = nn.Linear(3, 2, bias=False, dtype=torch.float64)
    before = net.weight.detach().clone()
    optimizer = make_optimizer(net, Recipe(**BASE, optimizer="lamb", weight_decay=0.02))
    net.weight.grad = torch.randn(2, 3, dtype=torch.float64) * 100  # would be clipped by timm's default
    grad = net.weight.grad.clone()
    optimizer.step()
    update = grad / (grad.abs() + 1e-6) + 0.02 * before
    assert torch.allclose(net.weight, before - 0.1 * before.norm() / update.norm() * update, rtol=1e-6)


def rates(recipe, steps_per_epoch=5):
    return [recipe.lr * rate_factor(step / steps_per_epoch, recipe) for step in range(steps_per_epoch * recipe.epochs)]


def rates_of_torch(make, count):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = make(optimizer)
    values = []
    for _ in range(count):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return values


def test_cosine_is_that_of_torch():
    expected = rates_of_torch(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 50, eta_min=0.01), 50)
    assert rates(Recipe(**BASE, min_lr=0.01)) == pytest.approx(expected)


def test_steps_are_those_of_torch():
    expected = rates_of_torch(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [20, 35], gamma=0.2), 50)
    recipe = Recipe(**BASE, schedule="step", milestones=[4.0, 7.0], decay_factor=0.2)
    assert rates(recipe) == pytest.approx(expected)
    expected = rates_of_torch(lambda o: torch.optim.lr_scheduler.StepLR(o, 12, gamma=0.98), 50)
    assert rates(Recipe(**BASE, schedule="step", decay_every=2.4, decay_factor=0.98)) == pytest.approx(expected)


def test_warm_up_rises_in_a_line_and_ends_at_the_highest_rate():
    values = rates(Recipe(**BASE, schedule="constant", warmup_epochs=2.0))
    assert values[1:10] == pytest.approx([0.01 * step for step in range(1, 10)])
    assert 0 < values[0] < values[1]
    assert values[10:] == [0.1] * 40


def test_a_schedule_made_at_a_step_goes_on_like_one_that_came_there():
    recipe = Recipe(**BASE, warmup_epochs=1.0)

    def optimizer():
        return make_optimizer(nn.Linear(2, 2), recipe)

    walked = optimizer()
    schedule = make_schedule(walked, recipe, 5)
    for _ in range(17):
        walked.step()
        schedule.step()
    jumped = optimizer()
    make_schedule(jumped, recipe, 5)
    make_schedule(jumped, recipe, 5, step=17)
    assert [group["lr"] for group in jumped.param_groups] == [group["lr"] for group in walked.param_groups]
