"""ConvFirst, a grouped convolution before an inverted bottleneck (Lavin 2024, arXiv 2404.03617; the author's spio).

The paper's network is not public, so the block alone is here.
"""

import torch
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site, foldable
from lowparam.models.layers import ConvNormAct
from lowparam.models.make import Defaults

__all__ = ["ARCHITECTURES", "ConvFirstBlock", "GroupedConv", "grouped"]

GROUP = 8


class GroupedConv(nn.Module):
    """A 3x3 convolution in groups of 8 channels; where 8 does not divide the channels, the last group is narrower.

    Parameters
    ----------
    channels, stride : int
        Of the convolution.
    group : int
        Channels of a group.
    """

    drawn = "3×3 in groups"

    def __init__(self, channels: int, stride: int, group: int = GROUP) -> None:
        super().__init__()
        self.full = channels // group * group
        self.groups = _conv(self.full, stride, self.full // group) if self.full else None
        self.rest = _conv(channels - self.full, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        rest = self.rest(x[:, self.full :])
        return rest if self.groups is None else torch.cat((self.groups(x[:, : self.full]), rest), 1)


def grouped(channels: int, stride: int, group: int = GROUP) -> nn.Module:
    """Return a 3x3 convolution in groups of some channels, without bias: torch's where they divide all channels."""
    return GroupedConv(channels, stride, group) if channels % group else _conv(channels, stride, channels // group)


def _conv(channels: int, stride: int, groups: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, stride, 1, groups=groups, bias=False)


class ConvFirstBlock(Block):
    """3x3 in groups of 8 channels, BN -> PW to the hidden width, BN, SiLU -> PW, BN; shortcut on the narrow side.

    Against NoDepth's reading A and ConvNeXt, the spatial layer mixes eight channels too. No part takes its place.
    """

    defaults = Defaults(activation=nn.SiLU)
    expansion = 4.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        convolution = make.striding(lambda stride: grouped(in_channels, stride), in_channels, stride)
        self.spatial = ConvNormAct(convolution, make.norm(in_channels))
        self.expand = ConvNormAct(make.pointwise(in_channels, hidden), make.norm(hidden), make.activation(hidden))
        self.gate = make.gate(hidden)
        self.project = ConvNormAct(make.pointwise(hidden, out_channels), make.norm(out_channels))
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        return self.scale(self.project(self.gate(self.expand(self.spatial(x)))))

    def inner_sites(self) -> list[Site]:
        gamma = getattr(self.scale, "gamma", None)
        return [
            Site("spatial", self.spatial),
            Site("expansion", self.expand, self.expand.conv, foldable(self.expand.norm)),
            Site("projection", self.scale, self.project.conv, foldable(self.project.norm), scale=gamma),
        ]


ARCHITECTURES = {"convfirst": ConvFirstBlock}
LABELS = {"convfirst": "ConvFirst"}
