"""Squeeze-and-excitation with C / 16 of C channels and a sigmoid, where MobileNetV3 has it.

The published form (section 3, r = 16). S = max(1, round(C / 16)) squeezed channels: 2 C S + C + S parameters.
"""

from torch import nn

from lowparam.models.layers import SqueezeExcite

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "gate"
LABEL = "squeeze-and-excitation, ratio 16"
PAPER = "Hu, Shen and Sun 2018, arXiv 1709.01507"
EQUALS = "Half of its input where the second layer is zero."


def make(channels: int) -> nn.Module:
    """Return a squeeze-and-excitation of (N, channels, H, W)."""
    return SqueezeExcite(channels, max(1, round(channels / 16)), gate=nn.Sigmoid)
