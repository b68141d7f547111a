"""The mean of 3x3 positions, at every second one, in place of striding."""

from torch import nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "down"
LABEL = "average pool"
PAPER = "Lin et al. 2013, arXiv 1312.4400 (as between the blocks of Network in Network)"
EQUALS = "A depthwise 3x3 convolution with nine equal weights. It has 0 parameters; padding is left out of the mean."


def make(channels: int, stride: int) -> nn.Module:
    """Return the pooling of (N, channels, H, W)."""
    return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
