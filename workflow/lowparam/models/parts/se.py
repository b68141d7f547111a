"""Squeeze-and-excitation with a quarter of the channels, where MobileNetV3 has it."""

from torch import nn

from lowparam.models.layers import SqueezeExcite

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "gate"
LABEL = "squeeze-and-excitation"
PAPER = "Hu, Shen and Sun 2018, arXiv 1709.01507"
EQUALS = "Half of its input where the second layer is zero."


def make(channels: int) -> nn.Module:
    """Return a squeeze-and-excitation of (N, channels, H, W)."""
    return SqueezeExcite(channels)
