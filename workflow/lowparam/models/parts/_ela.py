"""Efficient local attention (Xu and Wan 2024, arXiv 2403.01123), as about ten public copies agree on it.

y = x a_h a_w, where a_h = sigmoid(GN(F(mean of x over the width))) has a value for each row, and a_w, with the same F
and GN, one for each column. F is a convolution along the axis without a bias, GN a group norm. The sizes differ in the
kernel of F, its groups and the groups of GN. C k c + 2 C parameters, c channels in a group of F.
"""

import math

import torch
from torch import Tensor, nn

__all__ = ["LocalAttention"]


class LocalAttention(nn.Module):
    """Weigh each row and each column of each channel.

    Where the published numbers do not divide C, the norm has as many groups as their greatest common divisor, and the
    channels that remain are a smaller group of the convolution.

    Parameters
    ----------
    channels : int
        C.
    kernel : int
        Size of the convolution.
    width : int
        Channels in a group of the convolution.
    groups : int
        Groups of the norm.
    """

    drawn = "ELA"

    def __init__(self, channels: int, *, kernel: int, width: int, groups: int) -> None:
        super().__init__()
        rest = channels % width
        sizes = [channels - rest] * (channels >= width) + [rest] * (rest > 0)
        self.convs = nn.ModuleList(
            nn.Conv1d(size, size, kernel, padding=kernel // 2, groups=max(1, size // width), bias=False)
            for size in sizes
        )
        self.norm = nn.GroupNorm(math.gcd(channels, groups), channels)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (self.norm(self.mixed(x.mean(axis))).sigmoid() for axis in (3, 2))
        return x * rows[:, :, :, None] * columns[:, :, None, :]

    def mixed(self, line: Tensor) -> Tensor:
        """Convolve (N, C, L) along its axis."""
        groups = line.split([conv.in_channels for conv in self.convs], 1)
        return torch.cat([conv(group) for conv, group in zip(self.convs, groups, strict=True)], 1)
