"""Batch norm with a linear shortcut of one learned factor, BN(x) + eta x, in place of every norm of a block.

The control of ``prepbn``: the same from the first step on. 2 C + 1 parameters a norm of C channels.
"""

from torch import nn

from lowparam.models.parts.prepbn import PRepBN

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "norm"
LABEL = "RepBN"
PAPER = "Guo et al. 2024, arXiv 2405.11582, section 3.1"
EQUALS = "Batch norm where eta is 0; in eval mode, a batch norm with other weights."


def make(channels: int) -> nn.Module:
    """Return a RepBN of (N, channels, H, W)."""
    return PRepBN(channels, share=0.0)
