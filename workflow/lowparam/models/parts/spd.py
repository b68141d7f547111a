"""Space to depth and a 1x1 convolution in place of striding (SPD-Conv)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "down"
LABEL = "space to depth"
PAPER = "Sunkara and Luo 2022, arXiv 2208.03641, section 3"
EQUALS = "A dense 2x2 convolution of stride 2 after the convolution that strides no more. It has 4 C^2 parameters."


class SpaceToDepth(nn.Module):
    """Put the s x s positions of each cell side by side as channels: (N, C, H, W) to (N, s^2 C, H / s, W / s).

    Blocks of C channels are in the order of the authors' code, (row, column) = (0, 0), (1, 0), (0, 1), (1, 1). Where
    s does not divide the size, zeros follow below and to the right; the authors' code fails there.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        s = self.stride
        x = F.pad(x, (0, -x.shape[3] % s, 0, -x.shape[2] % s))
        return torch.cat([x[:, :, row::s, column::s] for column in range(s) for row in range(s)], 1)

    def extra_repr(self) -> str:
        return f"{self.stride}"


def make(channels: int, stride: int) -> nn.Module:
    """Return space to depth and the convolution that reads it.

    As in the authors' code the convolution of the block comes first, at stride 1; the next one reads 4 C channels.
    Theirs is 3x3 in basic blocks and 1x1 in bottlenecks; here it is 1x1, without a bias.
    """
    return nn.Sequential(SpaceToDepth(stride), nn.Conv2d(stride**2 * channels, channels, 1, bias=False))
