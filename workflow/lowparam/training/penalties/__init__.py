"""Penalties that are added to the loss, one file each; a recipe names them with weights.

``penalties: { incoherence: 0.1 }`` adds 0.1 times what the file ``incoherence.py`` computes.

A file defines ``make(net)``, which returns a function without arguments that computes the penalty, a scalar, from the
current weights. A penalty on feature maps registers hooks on ``net`` and reads them when it is called, which is after
each forward pass.
"""

from collections.abc import Callable

from torch import Tensor, nn

from lowparam import registry
from lowparam.params import Recipe

__all__ = ["Penalty", "make"]

Penalty = Callable[[], Tensor]


def make(recipe: Recipe, net: nn.Module) -> Penalty | None:
    """Return the weighted sum of the penalties of a recipe; None if it has none.

    Raises
    ------
    LowparamError
        If there is no such penalty, or it cannot be applied to the network.
    """
    chosen = [
        (weight, registry.load("training/penalties", name).make(net)) for name, weight in recipe.penalties.items()
    ]
    chosen = [(weight, penalty) for weight, penalty in chosen if weight]

    def total() -> Tensor:
        first, *others = [weight * penalty() for weight, penalty in chosen]
        return sum(others, first)

    return total if chosen else None
