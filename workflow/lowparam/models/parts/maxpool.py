"""The largest value of 3x3 positions, at every second one, in place of striding."""

from torch import nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "down"
LABEL = "max pool"
PAPER = "Springenberg et al. 2014, arXiv 1412.6806, section 2 (the control of the all-convolutional net)"
EQUALS = "The convolution at stride 1, and max pooling. It has 0 parameters; the convolution has 4 times the MACs."


def make(channels: int, stride: int) -> nn.Module:
    """Return the pooling of (N, channels, H, W)."""
    return nn.MaxPool2d(3, stride, 1)
