"""The optimiser of a recipe and how its learning rate moves."""

import math

import torch
from torch import nn
from torch.nn.utils import parametrize

from lowparam.params import Recipe

__all__ = ["make_optimizer", "make_schedule", "rate_factor"]


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimiser for a network; only the weights of convolutions and linear layers decay.

    Norms, biases, layer scale and other values that are one per channel do not. What a part learns in place of a
    weight decays as the weight would, but for what it declares as ``undecayed``.
    """
    makers = [module.parametrizations["weight"] for module in net.modules() if _is_made(module)]
    sources = [(maker, maker[0]) for maker in makers]  # what is learned, and what declares how
    if hasattr(net, "shared_kernel"):
        sources.append((net.shared_kernel, net.shared_kernel))
    inside = {module for learned, _ in sources for module in learned.modules()}
    decaying = [
        module.weight
        for module in net.modules()
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd) and module not in inside and not _is_made(module)
    ]
    rates: dict[float, list[nn.Parameter]] = {}
    for learned, declares in sources:
        undecayed = getattr(declares, "undecayed", {})
        for name, parameter in learned.named_parameters():
            if name in undecayed:
                rates.setdefault(undecayed[name], []).append(parameter)
            else:
                decaying.append(parameter)
    known = {*decaying, *(parameter for group in rates.values() for parameter in group)}
    groups = [
        {"params": decaying, "weight_decay": recipe.weight_decay},
        {"params": [p for p in net.parameters() if p not in known], "weight_decay": 0.0},
        *({"params": group, "weight_decay": 0.0, "lr": rate * recipe.lr} for rate, group in rates.items()),
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, recipe.lr, betas=tuple(recipe.betas), fused=True)
    if recipe.optimizer == "sgd":
        nesterov = recipe.nesterov and recipe.momentum > 0
        return torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=True)
    if recipe.optimizer == "lamb":
        from timm.optim import Lamb  # slow to import, so only here

        # Its own clipping is off, because the loop clips where a recipe requires it.
        return Lamb(groups, recipe.lr, betas=tuple(recipe.betas), max_grad_norm=None)
    # The alpha and eps of TensorFlow's MobileNets.
    return torch.optim.RMSprop(groups, recipe.lr, alpha=0.9, eps=1e-3, momentum=recipe.momentum, foreach=True)


def _is_made(module: nn.Module) -> bool:
    """Return whether a part makes the weight of a layer."""
    return parametrize.is_parametrized(module, "weight")


def make_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, steps_per_epoch: int, step: int = 0
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the schedule as it is after `step` steps; it advances by one after every step of the optimiser.

    The rate depends on the number of the step alone, so a resumed run needs to know nothing else.
    """
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda number: rate_factor(number / steps_per_epoch, recipe), last_epoch=step - 1
    )


def rate_factor(epoch: float, recipe: Recipe) -> float:
    """Learning rate after `epoch` epochs (a step is a fraction of one) over the recipe's highest."""
    lowest = recipe.min_lr / recipe.lr
    if epoch < recipe.warmup_epochs:
        return max(epoch / recipe.warmup_epochs, 1e-3)  # a rate of 0 would waste the first step
    if recipe.schedule == "cosine":
        done = min(1.0, (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs))
        return lowest + (1 - lowest) * (1 + math.cos(math.pi * done)) / 2
    if recipe.schedule == "step":
        falls = epoch // recipe.decay_every if recipe.decay_every else sum(epoch >= m for m in recipe.milestones)
        return recipe.decay_factor**falls
    return 1.0
