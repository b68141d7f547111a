"""What both forms of PReLU share: the initial slope, and the initialisation that it needs."""

from torch import nn

from lowparam.models.layers import rectifier_normal

__all__ = ["SLOPE", "finish"]

SLOPE = 0.25
"""Initial slope below 0, as published (section 2.1)."""


def finish(net: nn.Module) -> None:
    """Initialise the convolutions of the blocks for rectifiers of this slope (section 2.2)."""
    for module in net.modules():
        if hasattr(module, "role"):
            rectifier_normal(module, SLOPE)
