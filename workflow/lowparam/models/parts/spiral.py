"""A fixed shift of each channel along a spiral in place of the spatial convolution (Spiral FC without its 1x1)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make", "offsets"]

SLOT = "spatial"
LABEL = "spiral shift"
PAPER = "Mu, Tayyab and Chua 2024, arXiv 2404.00648, equation 6"
EQUALS = "A depthwise 7x7 convolution with fixed kernels of a single 1. It has 0 parameters and 0 MACs."


def offsets(channels: int, largest: int = 3, period: int = 8) -> list[tuple[int, int]]:
    """Return the rows and columns by which each channel is read, on a spiral that widens and narrows again.

    Defaults are those of the re-implementation that states the equation. The authors' code has 7 and 32, and a fault:
    it leaves the offsets of half of the channels undefined.
    """
    found = []
    for channel in range(channels):
        part = 2 * channel / channels
        reach = math.floor(largest * (part if part < 1 else 2 - part))
        angle = 2 * math.pi * channel / period
        found.append((round(reach * math.cos(angle)), round(reach * math.sin(angle))))
    return found


class SpiralShift(nn.Module):
    """Move each channel by its own offset, with zeros from outside, and keep every stride-th position."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        groups: dict[tuple[int, int], list[int]] = {}
        for channel, offset in enumerate(offsets(channels)):
            groups.setdefault(offset, []).append(channel)
        self.moves = tuple(groups.items())
        order = [channel for _, members in self.moves for channel in members]
        self.back = sorted(range(channels), key=order.__getitem__)
        self.reach = max(abs(part) for offset in groups for part in offset)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padded = F.pad(x, (self.reach,) * 4)
        shifted = [
            padded[
                :,
                members,
                self.reach + dy : self.reach + dy + height : self.stride,
                self.reach + dx : self.reach + dx + width : self.stride,
            ]
            for (dy, dx), members in self.moves
        ]
        return torch.cat(shifted, 1)[:, self.back]

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


def make(channels: int, kernel: int, stride: int) -> nn.Module:
    """Return the shift of (N, channels, H, W), whatever the size of the kernel it takes the place of."""
    return SpiralShift(channels, stride)
