"""Find the width that meets a parameter budget: the count grows with the width, so by bisection."""

from collections.abc import Callable
from functools import cache

import torch

from lowparam.errors import LowparamError
from lowparam.models.cost import count_parameters
from lowparam.models.skeletons.controlled import build

__all__ = ["TOLERANCE", "solve_width"]

TOLERANCE = 0.02
"""How far from the budget a count may be, as a share of the budget."""

LOWEST, HIGHEST = 1.0, 4096.0
STEP = 1 / 256  # finer steps change no rounded width of a network under 1.5 M parameters


@cache  # all seeds of a scale have the same width
def solve_width(
    architecture: str,
    budget: int,
    *,
    counting: str = "total",
    **network,
) -> float:
    """Find the width whose parameter count is nearest to a budget.

    Parameters
    ----------
    architecture : str
        A name in `lowparam.models.blocks`.
    budget : int
        Parameters wanted.
    counting : {"total", "body", "head"}
        What the budget counts: everything, all but the classifier, or the classifier.
    **network
        The further arguments of `lowparam.models.skeletons.controlled.build`.

    Returns
    -------
    float
        The width before rounding, a multiple of 1/256.

    Raises
    ------
    LowparamError
        If no width comes within 2 % of the budget; the message gives the nearest count.
    """

    def count(steps: int) -> int:
        with torch.device("meta"):
            net = build(architecture, steps * STEP, **network)
        return getattr(count_parameters(net), counting)

    low, high = _bracket(count, budget)
    best = min((low, high), key=lambda steps: abs(count(steps) - budget))
    nearest = count(best)
    if abs(nearest - budget) > TOLERANCE * budget:
        raise LowparamError(
            f"{architecture} cannot have {budget:,} parameters within {TOLERANCE:.0%}: the nearest is {nearest:,}"
        )
    return best * STEP


def _bracket(count: Callable[[int], int], budget: int) -> tuple[int, int]:
    """Return neighbouring numbers of steps whose counts enclose the budget, as far as the range allows."""
    low, high = round(LOWEST / STEP), round(LOWEST / STEP) * 2
    while count(high) < budget and high < HIGHEST / STEP:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < budget else (low, middle)
    return low, high
