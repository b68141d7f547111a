"""max(x, 0) + a min(x, 0) with a slope a learned for each channel, in place of every activation of a block.

The slopes begin at 0.25 and do not decay, and the convolutions of the blocks are initialised for it (sections 2.1 and
2.2 of the paper). C parameters more an activation of C channels.
"""

from torch import nn

from lowparam.models.parts._prelu import SLOPE, finish

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "finish", "make"]

SLOT = "activation"
LABEL = "PReLU"
PAPER = "He et al. 2015, arXiv 1502.01852"
EQUALS = "ReLU where a is 0, leaky ReLU where a is constant, the identity where a is 1."


def make(channels: int) -> nn.Module:
    """Return a PReLU of (N, channels, H, W) with a slope a channel."""
    return nn.PReLU(channels, SLOPE)
