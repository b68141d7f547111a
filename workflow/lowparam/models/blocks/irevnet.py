"""i-RevNet, a network that loses nothing of an image before its last pooling (Jacobsen et al. 2018, arXiv 1802.07088).

As in the authors' models/iRevNet.py. What the skeleton has in common is not invertible, as its widths double where maps
shrink by four; so there are networks of its own and no block. Each number of the image is one of the last map: a
control for what is said of information that networks lose.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site
from lowparam.models.make import Defaults, Make

__all__ = ["PUBLISHED", "Coupling", "depth_to_space", "invert", "space_to_depth"]


def space_to_depth(x: Tensor) -> Tensor:
    """Move each 2x2 positions of (N, C, H, W) into channels, (N, 4 C, H / 2, W / 2), in the order row, column, C."""
    n, channels, height, width = x.shape
    squares = x.reshape(n, channels, height // 2, 2, width // 2, 2).permute(0, 3, 5, 1, 2, 4)
    return squares.reshape(n, 4 * channels, height // 2, width // 2)


def depth_to_space(x: Tensor) -> Tensor:
    """Undo `space_to_depth`."""
    n, channels, height, width = x.shape
    squares = x.reshape(n, 2, 2, channels // 4, height, width).permute(0, 3, 4, 1, 5, 2)
    return squares.reshape(n, channels // 4, 2 * height, 2 * width)


class Stem(nn.Module):
    """Fill an image up with zeros until three strides divide it, and move its 2x2 positions into channels."""

    drawn = "space to depth"

    def forward(self, x: Tensor) -> Tensor:
        return space_to_depth(F.pad(x, (0, -x.shape[3] % 8, 0, -x.shape[2] % 8)))


class Coupling(Block):
    """(x1, x2) to (x2, x1 + F(x2)), the two halves of the channels: whatever F is, the block has an inverse.

    F is BN, ReLU -> 3x3, BN, ReLU -> 3x3, BN, ReLU -> 3x3; the first block of a network has no BN, ReLU in front. Where
    the block strides, F does, and the halves have their 2x2 positions moved into channels. All convolutions are dense
    and without bias, and are read as spatial: measures of pointwise layers see none in this block.

    Parameters
    ----------
    first : bool
        Whether it is the first block of a network.
    """

    defaults = Defaults()
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None, first=False) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, before, after = self.bound(make), in_channels // 2, out_channels // 2
        self.norm = nn.Identity() if first else make.norm(before)
        self.act = nn.Identity() if first else make.activation(before)
        self.first = nn.Conv2d(before, hidden, 3, stride, 1, bias=False)
        self.norm_first, self.act_first = make.norm(hidden), make.activation(hidden)
        self.second = make.spatial(hidden, 3, dense=True)
        self.norm_second, self.act_second = make.norm(hidden), make.activation(hidden)
        self.third = nn.Conv2d(hidden, after, 3, 1, 1, bias=False)

    def branch(self, x: Tensor) -> Tensor:
        """Compute F of one half, (N, in_channels / 2, H, W)."""
        x = self.act_first(self.norm_first(self.first(self.act(self.norm(x)))))
        return self.third(self.act_second(self.norm_second(self.second(x))))

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        y = self.on_branch(self.branch(second))
        if self.stride == 2:
            first, second = space_to_depth(first), space_to_depth(second)
        return self.after_sum(torch.cat((second, first + y), 1))

    def inverse(self, z: Tensor) -> Tensor:
        """Return the input of the block from its output, exactly but for rounding in eval mode."""
        second, added = z.chunk(2, 1)
        if self.stride == 2:
            second = depth_to_space(second)
        first = added - self.branch(second)
        return torch.cat((depth_to_space(first) if self.stride == 2 else first, second), 1)

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.act_first, name="first"),
            Site("spatial", self.act_second, name="second"),
            Site("spatial", self.third, name="third"),
        ]


def invert(net: nn.Module, features: Tensor) -> Tensor:
    """Return the images, filled up to multiples of 8 pixels, whose last map in a network of this file is given."""
    blocks = [module for module in net.modules() if isinstance(module, Coupling)]
    for block in reversed(blocks):
        features = block.inverse(features)
    return depth_to_space(features)


def published(depth: int, ratio: int, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out a bijective i-RevNet: 2x2 positions into channels, three stages, BN and ReLU before the pooling.

    The paper's own for small images is not bijective and has 6.3 million parameters. Halves of the channels are 6, 24
    and 96 wide for colour images. The strides are those for 32 x 32 images at any size; images that 8 does not divide
    are filled up with zeros.

    Parameters
    ----------
    depth : int
        Blocks in a stage.
    ratio : int
        Width of a half over that inside F.
    """
    stages: list[list[nn.Module]] = []
    before = width = 4 * in_channels
    for stage in range(3):
        stages.append([])
        for position in range(depth):
            strides = bool(stage) and not position
            width = 4 * before if strides else before
            coupling = Coupling(
                before,
                width,
                stride=2 if strides else 1,
                hidden=max(1, width // 2 // ratio),
                make=make,
                first=not stage and not position,
            )
            stages[-1].append(coupling)
            before = width
    neck = nn.Sequential(nn.BatchNorm2d(width, momentum=0.9), nn.ReLU())
    return Layout(Stem(), stages, width, neck=neck)


SIZES = ((2, 4), (6, 4), (18, 4), (6, 2))
PUBLISHED = {f"irevnet_d{depth}_r{ratio}": partial(published, depth, ratio) for depth, ratio in SIZES}
