"""Count what one image costs in a network, as far as time and memory of training follow from it."""

from dataclasses import dataclass

import torch
from torch import nn

from lowparam.models.cost import count_macs, count_parameters
from lowparam.models.layers import leaves

__all__ = ["Counts", "count_layers"]


@dataclass(frozen=True)
class Counts:
    """Costs of one image in a network.

    Parameters
    ----------
    layers : int
        Calls of modules without children.
    values : int
        Values that these write.
    macs : int
        Multiply-accumulates.
    parameters : int
        Trainable values.
    """

    layers: int
    values: int
    macs: int
    parameters: int


def count_layers(net: nn.Module, in_channels: int, size: int) -> Counts:
    """Count layers, values, multiply-accumulates and parameters for one image of (in_channels, size, size).

    The network runs once in eval mode; its mode is left as it was.
    """
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
