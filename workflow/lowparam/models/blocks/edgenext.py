"""EdgeNeXt's split block (Maaz et al. 2022, arXiv 2206.10589, section 3; timm's models/edgenext.py).

EdgeFace is made of it (George et al. 2023, arXiv 2307.01838): an EdgeNeXt whose linear layers are products of two
smaller ones. Published networks of EdgeNeXt are timm's (`timm:edgenext_xx_small`). The position code of one stage is
left out.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.branches import HiddenBranch
from lowparam.models.layers import LayerNorm2d, LayerScale, Sum, largest_divisor
from lowparam.models.layers.covariance import CrossCovariance
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "SplitBlock", "SplitConv"]

HEADS = 4


class SplitConv(nn.Module):
    """Chunks of channels, each filtered by a DW 3x3 after the output of the one before is added; the last one passes.

    Parameters
    ----------
    make : Make
        Makes the convolutions.
    channels, chunks : int
        C, and the number of chunks, which are of one width but for the last.
    """

    drawn = "chunks through 3×3 depthwise in turn"

    def __init__(self, make: Make, channels: int, chunks: int) -> None:
        super().__init__()
        self.width = -(-channels // chunks)
        filtered = range(0, channels - self.width, self.width)  # where chunks begin that are not the last
        self.convs = nn.ModuleList(make.spatial(self.width, 3) for _ in filtered)

    def forward(self, x: Tensor) -> Tensor:
        *filtered, last = x.split(self.width, 1)
        done: list[Tensor] = []
        for chunk, conv in zip(filtered, self.convs, strict=True):
            done.append(conv(chunk + done[-1] if done else chunk))
        return torch.cat((*done, last), 1)


class SplitBlock(Block):
    """x + s2 F(t) with t = y + s1 A(LN y), y = chunks of x through DW 3x3 in turn; A attends between channels.

    F is LN -> PW to the hidden width, GELU -> PW. The last three stages have 2, 3 and 4 chunks, as published. It
    has as many heads as divide its width, 4 at most. A block that strides or widens begins with a layer norm and a
    dense 3x3, where the published network has a 2x2, and has its shortcut after them.
    """

    defaults = Defaults(norm=LayerNorm2d, activation=nn.GELU, scale=LayerScale, bias=True)
    expansion = 4.0
    chunks: ClassVar[int] = 2

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        width, make = out_channels, self.bound(make)
        keeps = stride == 1 and in_channels == width
        self.embed = nn.Identity() if keeps else _down(make, in_channels, width, stride)
        self.join_after = None if keeps else make.join(width)
        self.split = SplitConv(make, width, self.chunks)
        self.norm = make.norm(width)
        self.read = make.pointwise(width, 3 * width)
        self.attention = CrossCovariance(largest_divisor(width, HEADS))
        self.write = make.pointwise(width, width)
        self.scale_attention = make.scale(width)
        self.sum = Sum()
        self.mlp = HiddenBranch(make, width, hidden, scale=self.residual or self.join_after is not None)

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    @classmethod
    def by_stage(cls, stages: int) -> list[type[Block]]:
        return [BY_CHUNKS[max(2, 4 - left)] for left in reversed(range(stages))]

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        y = self.split(x)
        attended = self.write(self.attention(self.read(self.norm(y))))
        y = self.mlp(self.sum(y, self.scale_attention(attended)))
        return y if self.join_after is None else self.join_after(x, y)

    def inner_sites(self) -> list[Site]:
        gamma = getattr(self.scale_attention, "gamma", None)
        return [
            Site("spatial", self.split),
            Site("expansion", self.read, self.read, name="read"),
            Site("spatial", self.attention, name="attention"),
            Site("projection", self.scale_attention, self.write, scale=gamma, name="write"),
            *self.mlp.sites(),
        ]


class SplitBlock3(SplitBlock):
    """As `SplitBlock` with three chunks."""

    chunks = 3


class SplitBlock4(SplitBlock):
    """As `SplitBlock` with four chunks."""

    chunks = 4


BY_CHUNKS: dict[int, type[SplitBlock]] = {2: SplitBlock, 3: SplitBlock3, 4: SplitBlock4}


def _down(make: Make, before: int, after: int, stride: int) -> nn.Module:
    def convolution(stride: int) -> nn.Conv2d:
        return nn.Conv2d(before, after, 3, stride, 1)

    return nn.Sequential(make.norm(before), make.striding(convolution, after, stride))


ARCHITECTURES = {"edgenext_split": SplitBlock}
LABELS = {"edgenext_split": "EdgeNeXt split block"}
