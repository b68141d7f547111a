"""Shifts by one pixel in eight directions in place of the spatial convolution; no weights, no multiplications."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["DIRECTIONS", "EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "spatial"
LABEL = "shift"
PAPER = "Wu et al. 2023, arXiv 2307.16140, section 3"
EQUALS = "A depthwise 3x3 convolution with fixed kernels of a single 1. It has 0 parameters and 0 MACs."

DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Position that each group of channels reads, relative to the one it writes, in rows and columns."""


class Shift(nn.Module):
    """Move each eighth of the channels by one pixel, with zeros from outside.

    The paper has numbers of channels that eight divides; here the channels that remain stay in place. It has no
    strides either; here every stride-th position is kept.

    Parameters
    ----------
    channels, stride : int
        Channels of the map, and the factor by which it shrinks.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        group = self.channels // 8
        padded = F.pad(x, (1, 1, 1, 1))
        moves = [(group, dy, dx) for dy, dx in DIRECTIONS] + [(self.channels - 8 * group, 0, 0)]
        shifted, start = [], 0
        for count, dy, dx in moves:
            rows = slice(1 + dy, 1 + dy + height, self.stride)
            columns = slice(1 + dx, 1 + dx + width, self.stride)
            shifted.append(padded[:, start : start + count, rows, columns])
            start += count
        return torch.cat(shifted, 1)

    def extra_repr(self) -> str:
        return f"{self.channels}, stride={self.stride}"


def make(channels: int, kernel: int, stride: int) -> nn.Module:
    """Return the shift of (N, channels, H, W), by one pixel whatever the size of the kernel it takes the place of."""
    return Shift(channels, stride)
