"""max(x, 0) + a min(x, 0) with one learned slope a, in place of every activation of a block.

The channel-shared form of section 2.1 of the paper; else as ``prelu``. 1 parameter more an activation.
"""

from torch import nn

from lowparam.models.parts._prelu import SLOPE, finish

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "finish", "make"]

SLOT = "activation"
LABEL = "PReLU, shared slope"
PAPER = "He et al. 2015, arXiv 1502.01852"
EQUALS = "prelu where all its slopes are equal."


def make(channels: int) -> nn.Module:
    """Return a PReLU with one slope."""
    return nn.PReLU(init=SLOPE)
