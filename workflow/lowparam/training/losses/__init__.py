"""Losses, one file each; a recipe names one as ``loss: <file name>``.

A file defines ``make(*, label_smoothing, **options)``, which returns a function from logits (B, K) and targets to a
scalar. Targets are class indices (B,), or probabilities (B, K) where mixup or CutMix mixed the labels. ``options`` are
the recipe's ``loss_options``.
"""

from collections.abc import Callable

from torch import Tensor

from lowparam import registry
from lowparam.errors import LowparamError
from lowparam.params import Recipe

__all__ = ["Loss", "make"]

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
