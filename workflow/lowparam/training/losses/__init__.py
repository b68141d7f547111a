"""Losses, one file each; a recipe names one as ``loss: <file name>``.

A file defines ``make(*, label_smoothing, **options)``, which returns a function from logits (B, K) and targets to a
scalar. Targets are class indices (B,), or probabilities (B, K) where mixup or CutMix mixed the labels. ``options`` are
the recipe's ``loss_options``.

A loss on feature maps defines ``make_for_network(net, *, label_smoothing, **options)`` instead. It registers hooks on
``net`` and reads them when it is called, which is after each forward pass.
"""

from collections.abc import Callable

from torch import Tensor, nn

from lowparam import registry
from lowparam.errors import LowparamError
from lowparam.params import Recipe

__all__ = ["Loss", "make", "make_for"]

Loss = Callable[[Tensor, Tensor], Tensor]


def make(recipe: Recipe) -> Loss:
    """Return the loss of a recipe.

    Raises
    ------
    LowparamError
        If there is no such loss, or it does not take one of the recipe's ``loss_options``.
    """
    module = registry.load("training/losses", recipe.loss)
    try:
        return module.make(label_smoothing=recipe.label_smoothing, **recipe.loss_options)
    except TypeError as error:
        raise LowparamError(f"recipe key loss_options: {recipe.loss}: {error}") from error


def make_for(recipe: Recipe, net: nn.Module) -> Loss:
    """Return the loss of a recipe for the training of a network, whose feature maps it may read.

    Raises
    ------
    LowparamError
        As `make`, and if the loss cannot be applied to the network.
    """
    module = registry.load("training/losses", recipe.loss)
    if not hasattr(module, "make_for_network"):
        return make(recipe)
    try:
        return module.make_for_network(net, label_smoothing=recipe.label_smoothing, **recipe.loss_options)
    except TypeError as error:
        raise LowparamError(f"recipe key loss_options: {recipe.loss}: {error}") from error
