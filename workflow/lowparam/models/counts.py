"""What one image costs on its way through a network: the counts that time and memory of a training follow from."""

from dataclasses import dataclass

import torch
from torch import nn

from lowparam.models.cost import count_macs, count_parameters
from lowparam.models.layers import leaves

__all__ = ["Counts", "count"]


@dataclass(frozen=True)
class Counts:
    """What one image costs on its way through a network.

    Parameters
    ----------
    layers : int
        Modules without parts, as many as are called.
    values : int
        Values that they write.
    macs : int
        Multiply-accumulates.
    parameters : int
        Trainable values.
    """

    layers: int
    values: int
    macs: int
    parameters: int


def count(net: nn.Module, in_channels: int, size: int) -> Counts:
    """Count layers, values and multiply-accumulates of one image of (in_channels, size, size)."""
    written = []
    hooks = [
        module.register_forward_hook(lambda _module, _input, output: written.append(output.numel()))
        for _, module in leaves(net)
    ]
    device = next(net.parameters()).device
    training = net.training
    with torch.no_grad():
        net.eval()(torch.zeros(1, in_channels, size, size, device=device))
    net.train(training)
    for hook in hooks:
        hook.remove()
    return Counts(len(written), sum(written), count_macs(net, in_channels, size), count_parameters(net).total)
