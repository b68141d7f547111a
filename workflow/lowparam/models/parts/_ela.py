"""Efficient local attention (Xu and Wan 2024, arXiv 2403.01123), as about ten public copies agree on it.

y = x a_h a_w, where a_h = sigmoid(GN(F(mean of x over the width))) has a value for each row, and a_w, with the same F
and GN, one for each column. F is a convolution along the axis without a bias, GN a group norm. The sizes differ in the
kernel of F, its groups and the groups of GN. C k c + 2 C parameters, c channels in a group of F.
"""

import math

from torch import Tensor, nn

__all__ = ["LocalAttention"]


class LocalAttention(nn.Module):
    """Weigh each row and each column of each channel.

    Where C is no multiple of the published numbers, the groups are the greatest common divisor.

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
        of_conv = channels // math.gcd(channels, width)
        self.conv = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=of_conv, bias=False)
        self.norm = nn.GroupNorm(math.gcd(channels, groups), channels)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (self.norm(self.conv(x.mean(axis))).sigmoid() for axis in (3, 2))
        return x * rows[:, :, :, None] * columns[:, :, None, :]
