"""Squeeze-and-excitation with C / 8 of C channels and a sigmoid, where MobileNetV3 has it.

One of the ratios that the paper compares. S = max(1, round(C / 8)) squeezed channels: 2 C S + C + S parameters.
"""

from torch import nn

from lowparam.models.layers import SqueezeExcite

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "gate"
LABEL = "squeeze-and-excitation, ratio 8"
PAPER = "Hu, Shen and Sun 2018, arXiv 1709.01507"
EQUALS = "SENetV2 (Narayanan 2023, arXiv 2311.10807) of ratio 32 with four branches, without its outer sum."


def make(channels: int) -> nn.Module:
    """Return a squeeze-and-excitation of (N, channels, H, W)."""
    return SqueezeExcite(channels, max(1, round(channels / 8)), gate=nn.Sigmoid)
