"""MobileNeXt's sandglass block (Zhou et al. 2020, arXiv 2007.02269, section 3.2, and the authors' code)."""

import math
from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site, foldable
from lowparam.models.layers import ConvNormAct, conv_norm_act, kaiming, make_divisible
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "Sandglass"]


class Sandglass(Block):
    """DW 3x3, BN, ReLU6 -> PW to the waist, BN, linear -> PW, BN, ReLU6 -> DW 3x3, BN, linear.

    The shortcut joins the wide ends. As in the authors' code, a widening block has no first depthwise
    convolution, and one that widens without striding has no second one either.

    Parameters
    ----------
    whole : bool
        Keep both depthwise convolutions in a widening block.
    """

    defaults = Defaults(activation=nn.ReLU6)
    expansion = 1 / 6

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None, whole=False) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        widens = in_channels != out_channels and not whole
        self.depthwise_in = (
            nn.Identity()
            if widens
            else ConvNormAct(make.spatial(in_channels, 3), make.norm(in_channels), make.activation(in_channels))
        )
        self.reduce = ConvNormAct(make.pointwise(in_channels, hidden), make.norm(hidden))
        self.gate = make.gate(hidden)
        self.expand = ConvNormAct(
            make.pointwise(hidden, out_channels), make.norm(out_channels), make.activation(out_channels)
        )
        self.depthwise_out = (
            nn.Identity()
            if widens and stride == 1
            else ConvNormAct(make.spatial(out_channels, 3, stride), make.norm(out_channels))
        )
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * max(in_width, out_width)

    def branch(self, x: Tensor) -> Tensor:
        x = self.gate(self.reduce(self.depthwise_in(x)))
        return self.scale(self.depthwise_out(self.expand(x)))

    def inner_sites(self) -> list[Site]:
        sites = [
            Site("reduction", self.reduce, self.reduce.conv, foldable(self.reduce.norm)),
            Site("expansion", self.expand, self.expand.conv, foldable(self.expand.norm)),
        ]
        if isinstance(self.depthwise_in, ConvNormAct):
            sites.insert(0, Site("spatial", self.depthwise_in))
        if isinstance(self.depthwise_out, ConvNormAct):
            sites.append(Site("spatial", self.depthwise_out, name="spatial_out"))
        return sites


ARCHITECTURES = {"mobilenext": Sandglass}

STAGES = (  # reduction, channels, blocks, stride of the first
    (2, 96, 1, 2),
    (6, 144, 1, 1),
    (6, 192, 3, 2),
    (6, 288, 3, 2),
    (6, 384, 4, 1),
    (6, 576, 4, 2),
    (6, 960, 3, 1),
    (6, 1280, 1, 1),
)


def published(width: float, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out MobileNeXt at a width, as in the authors' code; the last stage has 1280 channels at least.

    A stage of a single block that does not stride, and the block that reduces by 2, keep both depthwise convolutions.
    Widths are multiples of 8, of 4 at width 0.1. For small images the stem and the first stage do not stride.

    Parameters
    ----------
    width : float
        Factor of all numbers of channels.
    """
    divisor = 4 if width == 0.1 else 8
    before = make_divisible(32 * width, divisor)
    stem = conv_norm_act(in_channels, before, 3, stride=1 if small else 2, activation=nn.ReLU6)
    stages = []
    for reduction, channels, blocks, stride in STAGES:
        after = 1280 if channels == 1280 and width < 1 else make_divisible(channels * width, divisor)
        whole = reduction == 2 or (blocks == 1 and stride == 1)
        if small and channels == 96:
            stride = 1
        stages.append([])
        for position in range(blocks):
            hidden = before // reduction
            if hidden < after / 6:
                hidden = make_divisible(math.ceil(after / 6), 16)
            stages[-1].append(
                Sandglass(
                    before,
                    after,
                    stride=stride if position == 0 else 1,
                    hidden=hidden,
                    make=make,
                    whole=whole,
                )
            )
            before = after
    return Layout(stem, stages, before, counted_as_head=stages[-1], initialise=kaiming)


PUBLISHED = {f"mobilenext_x{width}": partial(published, width) for width in (0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.4)}
