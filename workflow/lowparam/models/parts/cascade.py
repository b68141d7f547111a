"""A 1x1 convolution over the block's input and its sum, then ReLU, in place of the sum (cascading block of CARN).

The local cascade of section 3.2 of the paper with one unit: o = ReLU(P [x, x + f(x)]). The paper cascades three units;
in our skeleton each block with a shortcut begins a cascade of its own, because a stage of two blocks has one such
block, or two. A reading, therefore. 2 C^2 + C parameters a shortcut of C channels.
"""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "shortcut"
LABEL = "cascade"
PAPER = "Ahn, Kang and Sohn 2018, arXiv 1803.08664, section 3.2"
EQUALS = "ReLU(x + f(x)), the paper's residual unit, where the convolution copies its newer half. 2 C^2 + C parameters."


class Cascade(nn.Module):
    """Mix the channels of x and x + f(x) by one 1x1 convolution with a bias, as in the authors' code."""

    drawn = "cascade"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * channels, channels, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.act(self.mix(torch.cat((x, x + y), 1)))


def make(channels: int) -> nn.Module:
    """Return the cascade of two (N, channels, H, W)."""
    return Cascade(channels)
