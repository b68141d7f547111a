"""CCNN's block, kernels that a small network computes from positions (Knigge et al. 2023, arXiv 2301.10540, section 3).

As in the authors' ckconv and s4_block.py, except that the frequencies begin as those of the part `flexconv`: the paper
tunes them for every data set to six digits. Its networks never shrink a map.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lowparam.models.blocks.base import Layout, Site
from lowparam.models.branches import embedding
from lowparam.models.large_kernel import LargeKernelBlock
from lowparam.models.make import Defaults, Make
from lowparam.models.parts.flexconv import FlexKernel

__all__ = ["ARCHITECTURES", "PUBLISHED", "CCNNBlock", "ContinuousConv", "ContinuousKernel"]

UNITS, LAYERS = 8, 3


class ContinuousKernel(FlexKernel):
    """A depthwise kernel (C, 1, k, k), as of `flexconv` with a mask around the middle that learns as fast as the rest.

    Parameters
    ----------
    channels, size : int
        C and k.
    units : int
        Units of each layer of the network, of which there are three besides the first and the last.
    """

    def __init__(self, channels: int, size: int, units: int) -> None:
        super().__init__((channels, 1, size, size), size, units, LAYERS)
        del self.mean
        self.register_buffer("mean", torch.zeros(2), persistent=False)
        with torch.no_grad():
            self.last.weight /= size  # the root of the number of taps
            self.last.bias.zero_()
        self.undecayed = dict.fromkeys(self.undecayed, 1.0)


class ContinuousConv(nn.Module):
    """A depthwise convolution with a kernel of `ContinuousKernel` and bias -> PW, both with bias.

    Parameters
    ----------
    before, after : int
        Channels of input and output.
    size : int
        Height and width of the kernel.
    units : int
        Of the network that makes it.
    """

    def __init__(self, before: int, after: int, size: int, units: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(before, before, size, padding=size // 2, groups=before)
        self.depthwise.drawn = "computed depthwise conv"
        nn.init.zeros_(self.depthwise.bias)
        kernel = ContinuousKernel(before, size, units)
        parametrize.register_parametrization(self.depthwise, "weight", kernel, unsafe=True)  # right_inverse is empty
        self.pointwise = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class CCNNBlock(LargeKernelBlock):
    """x + GELU(PW(GELU(PW(DW(BN x))))), the kernels of DW computed from positions by a small network under a mask.

    The network multiplies Gabor filters of the position with linear layers of 8 units; the mask is a Gaussian around
    the middle, of learned size. So the number of weights does not depend on the size of the kernel, which is 13, 9 and
    7 in the last three stages. A block that strides or widens begins with a dense 3x3 and a norm, and has its shortcut
    after them. No part takes the place of the kernels. The second PW is read as what writes to the stream, though an
    activation follows it.
    """

    defaults = Defaults(activation=nn.GELU, bias=True)
    units = UNITS

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, keeps = self.bound(make), stride == 1 and in_channels == out_channels
        self.embed = embedding(make, in_channels, out_channels, stride)
        self.join_after = None if keeps else make.join(out_channels)
        self.norm = make.norm(out_channels)
        self.conv = ContinuousConv(out_channels, hidden, self.kernel_size, self.units)
        self.act = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.mix = make.pointwise(hidden, out_channels)
        self.act_out = make.activation(out_channels)
        joins = self.residual or self.join_after is not None
        self.scale = make.scale(out_channels) if joins else nn.Identity()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        y = self.scale(self.act_out(self.mix(self.gate(self.act(self.conv(self.norm(x)))))))
        return y if self.join_after is None else self.join_after(x, y)

    def inner_sites(self) -> list[Site]:
        gamma = getattr(self.scale, "gamma", None)
        return [
            Site("spatial", self.conv.depthwise),
            Site("expansion", self.act, self.conv.pointwise),
            Site("projection", self.scale, self.mix, scale=gamma),
        ]


ARCHITECTURES = {"ccnn": CCNNBlock}
LABELS = {"ccnn": "CCNN"}


def published(depth: int, width: int, units: int, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out a CCNN: a convolution with computed kernels, BN, GELU, blocks of one width, BN; no map ever shrinks.

    Parameters
    ----------
    depth, width : int
        Number of blocks, and channels.
    units : int
        Units of the networks that make kernels, which are 33 positions wide.
    """
    block = type("CCNNBlock", (CCNNBlock,), {"kernel_size": 33, "units": units})
    stem = nn.Sequential(ContinuousConv(in_channels, width, 33, units), nn.BatchNorm2d(width), nn.GELU())
    blocks: list[nn.Module] = [block(width, width, stride=1, hidden=width, make=make) for _ in range(depth)]
    return Layout(stem, [blocks], width, neck=nn.BatchNorm2d(width))


SIZES = {"4_64": (4, 64, 16), "4_96": (4, 96, 32), "4_140": (4, 140, 32)}  # the last is the paper's
PUBLISHED = {f"ccnn_{name}": partial(published, *size) for name, size in SIZES.items()}
