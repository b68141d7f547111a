"""LSNet's block, see large and focus small (Wang et al. 2025, arXiv 2503.23135; the authors' model/lsnet.py).

The paper's networks alternate this block with one without it, and attend in their last stage with a table of offsets
that fits one map; neither exists in the skeleton here, so there are no published networks.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site, foldable
from lowparam.models.branches import HiddenBranch
from lowparam.models.layers import ConvNormAct, Sum
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "Aggregation", "KernelPrediction", "LSBlock"]

SHARED = 8  # channels that share a kernel
TAPS = 3  # height and width of the kernels


class Aggregation(nn.Module):
    """A 3x3 convolution with a kernel of its own at each position, of x (N, C, H, W) with taps (N, 9 G, H, W).

    Channel c is read with kernel c mod G, not with that of its neighbours, as in the authors' code. Padding is zero.
    Its 9 products a value belong to no weight, so that MACs leave them out.
    """

    drawn = "own 3×3 at each position"

    def forward(self, x: Tensor, taps: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        kernels = taps.shape[1] // TAPS**2
        turns = -(-channels // kernels)
        taps = taps.reshape(n, 1, kernels, TAPS**2, height, width)
        around = TAPS // 2
        padded = F.pad(x, (around, around, around, around, 0, turns * kernels - channels))
        padded = padded.reshape(n, turns, kernels, height + 2 * around, width + 2 * around)
        out = x.new_zeros(())
        for tap in range(TAPS**2):
            row, column = divmod(tap, TAPS)
            shifted = padded[..., row : row + height, column : column + width]
            out = out + taps[:, :, :, tap] * shifted
        return out.flatten(1, 2)[:, :channels]


class KernelPrediction(nn.Module):
    """PW to half the width, norm, ReLU -> DW 7x7, norm -> PW, norm, ReLU -> PW to 9 taps a kernel, group norm.

    Each group of the group norm is one kernel. One kernel serves 8 channels; where 8 does not divide C, the last
    kernels serve fewer.

    Parameters
    ----------
    make : Make
        Makes the layers.
    channels : int
        C.
    half : int
        Channels inside.
    """

    def __init__(self, make: Make, channels: int, half: int) -> None:
        super().__init__()
        kernels = -(-channels // SHARED)
        self.reduce = ConvNormAct(make.pointwise(channels, half), make.norm(half), make.activation(half))
        self.depthwise = ConvNormAct(make.spatial(half, 7), make.norm(half))
        self.mix = ConvNormAct(make.pointwise(half, half), make.norm(half), make.activation(half))
        self.write = make.pointwise(half, kernels * TAPS**2, bias=True)
        self.norm = nn.GroupNorm(kernels, kernels * TAPS**2)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.write(self.mix(self.depthwise(self.reduce(x)))))


class LSBlock(Block):
    """x + BN(own 3x3 at each position, from a 7x7 view), then x + PW, BN, ReLU -> PW, BN.

    Every block has the convolution; in the paper every second one does. A block that strides or widens begins with a
    DW 3x3 and a PW, each with a norm, as the stages of the paper's network do. The last norm begins at 1; the authors
    begin at 0. The two shortcuts are inside, so a probe at S1 or S2 acts on the output.
    """

    expansion = 2.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, width = self.bound(make), out_channels
        self.embed = (
            nn.Sequential(
                ConvNormAct(make.spatial(in_channels, 3, stride), make.norm(in_channels)),
                ConvNormAct(make.pointwise(in_channels, width), make.norm(width)),
            )
            if stride > 1 or in_channels != width
            else nn.Identity()
        )
        half = max(1, (hidden + 2) // 4)  # not of the rounded width: budgets are met in smaller steps
        self.predict = KernelPrediction(make, width, half)
        self.aggregate = Aggregation()
        self.norm = make.norm(width)
        self.sum_spatial, self.sum_hidden = Sum(), Sum()
        self.mlp = HiddenBranch(make, width, hidden, before=False, inside=True)

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = self.sum_spatial(x, self.norm(self.aggregate(x, self.predict(x))))
        return self.sum_hidden(x, self.mlp(x))

    def inner_sites(self) -> list[Site]:
        """Return the sites.

        The convolution of x with kernels made of x is a product, with no two 1x1 convolutions of one input to it.
        """
        reduce, mix = self.predict.reduce, self.predict.mix
        return [
            Site("reduction", reduce, reduce.conv, foldable(reduce.norm)),
            Site("spatial", self.predict.depthwise),
            Site("branch", mix, mix.conv, foldable(mix.norm)),
            Site("product", self.aggregate),
            *self.mlp.sites(),
        ]


ARCHITECTURES = {"lsnet": LSBlock}
