"""Penalise how evenly the coefficients of a product of two branches are spread, an open question of the star operation.

A product of two 1x1 layers gives to x_i x_j the coefficient u_i v_j, with rows u and v of their weights. The penalty is
the sum of the sizes of these over their length, |u|_1 |v|_1 / (|u|_2 |v|_2), as a share of its largest value: 1 for
coefficients of one size, the less, the fewer of them count. It does not depend on the size of weights, as an L1 or L2
norm of them would: the batch norm after the product takes that away again.
"""

import math

import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.skeletons.controlled import Network
from lowparam.training.penalties import Penalty

__all__ = ["branches", "make", "spread"]


def make(net: Network) -> Penalty:
    """Return the mean spread of the coefficients of the products of a network."""
    pairs = branches(net)
    return lambda: torch.stack([spread(first.weight, second.weight) for first, second in pairs]).mean()


def branches(net: Network) -> list[tuple[nn.Module, nn.Module]]:
    """Return the pairs of 1x1 layers that a network multiplies.

    Raises
    ------
    LowparamError
        If it multiplies none.
    """
    pairs = [site.factors for site in net.sites().values() if site.kind == "product" and site.factors]
    if not pairs:
        raise LowparamError("recipe key penalties.coefficients: this architecture multiplies no branches; leave it out")
    return pairs


def spread(first: Tensor, second: Tensor) -> Tensor:
    """Compute the mean over rows of |u|_1 |v|_1 / (|u|_2 |v|_2 n), from weights (rows, n, 1, 1), at most 1."""
    ratios = [weight.flatten(1).abs().sum(1) / weight.flatten(1).norm(dim=1) for weight in (first, second)]
    return (ratios[0] * ratios[1]).mean() / math.sqrt(first[0].numel() * second[0].numel())
