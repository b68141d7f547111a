"""Penalise filters that are not orthonormal: an intervention on interference in all dense layers of the blocks.

Half the sum over layers of |W'W - I|^2, with W of shape (outputs, inputs x k^2) and the Gram of its smaller side,
because the other has a rank that cannot reach the identity (soft orthonormality, Xie, Xiong & Pu 2017,
arXiv 1703.01827, where it takes the place of weight decay). 0 for orthonormal rows or columns. Depthwise filters,
whose inputs are positions of one channel, are left out, and so is the modulation of errors, which is not public.
"""

import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.blocks import Block
from lowparam.models.skeletons.controlled import Network
from lowparam.training.penalties import Penalty

__all__ = ["deviation", "filters", "make"]


def make(net: Network) -> Penalty:
    """Return half the sum of squared deviations of the Gram matrices of a network's dense filters from identity."""
    layers = filters(net, "orthonormality")
    return lambda: torch.stack([deviation(layer.weight).square().sum() / 2 for layer in layers]).sum()


def filters(net: Network, penalty: str) -> list[nn.Conv2d]:
    """Return the ungrouped convolutions of the blocks of a network with several inputs and outputs.

    Raises
    ------
    LowparamError
        If there is none; `penalty` is the key that the message names.
    """
    blocks = [module for module in net.modules() if isinstance(module, Block)]
    layers = [module for block in blocks for module in block.modules() if isinstance(module, nn.Conv2d)]
    layers = [layer for layer in dict.fromkeys(layers) if layer.groups == 1 and min(layer.weight.shape[:2]) > 1]
    if not layers:
        raise LowparamError(f"recipe key penalties.{penalty}: this architecture has no dense filters; leave it out")
    return layers


def deviation(weight: Tensor) -> Tensor:
    """Return W'W - I or WW' - I, whichever is smaller, of weights (outputs, inputs, k, k)."""
    rows = weight.flatten(1)
    gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    return gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
