"""Layer norm over channels at each position, in place of every norm of a block."""

from torch import nn

from lowparam.models.layers import LayerNorm2d

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "norm"
LABEL = "layer norm"
PAPER = "Ba, Kiros and Hinton 2016, arXiv 1607.06450"
EQUALS = "At one channel, its bias."


def make(channels: int) -> nn.Module:
    """Return a layer norm of (N, channels, H, W) over its channels."""
    return LayerNorm2d(channels)
