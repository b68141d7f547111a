"""A learned ratio of two polynomials for each channel, in place of every activation of a block.

The Padé neuron of degrees [1/1] with kernels of a single position (``_paon.py``); a reading, because the paper replaces
convolution and activation together, as ``paon`` does. 3 C parameters an activation of C channels.
"""

from torch import nn

from lowparam.models.parts._paon import Paon

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "activation"
LABEL = "Padé activation"
PAPER = "Keles and Tekalp 2024, arXiv 2403.11791, section 2"
EQUALS = "An affine map of each channel where the denominator is constant, as at its start."


def make(channels: int) -> nn.Module:
    """Return a Padé activation of (N, channels, H, W)."""
    return Paon(channels, 1)
