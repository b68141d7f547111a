"""MobileNetV1's depthwise separable convolution (Howard et al. 2017, arXiv 1704.04861, section 3.1 and table 1)."""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site, foldable
from lowparam.models.layers import ConvNormAct, conv_norm_act, kaiming, make_divisible
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "DepthwiseSeparable"]


class DepthwiseSeparable(Block):
    """DW 3x3, BN, ReLU -> PW, BN, ReLU. No expansion and no shortcut."""

    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, make=make)
        make = self.bound(make)
        self.depthwise = ConvNormAct(
            make.spatial(in_channels, 3, stride), make.norm(in_channels), make.activation(in_channels)
        )
        self.gate = make.gate(in_channels)
        self.pointwise = ConvNormAct(
            make.pointwise(in_channels, out_channels), make.norm(out_channels), make.activation(out_channels)
        )

    def branch(self, x: Tensor) -> Tensor:
        return self.pointwise(self.gate(self.depthwise(x)))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise),
            Site("projection", self.pointwise.norm, self.pointwise.conv, foldable(self.pointwise.norm)),
        ]


ARCHITECTURES = {"mobilenetv1": DepthwiseSeparable}

STAGES = (  # channels, blocks, stride of the first
    (64, 1, 1),
    (128, 2, 2),
    (256, 2, 2),
    (512, 6, 2),
    (1024, 2, 2),
)


def published(width: float, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out MobileNetV1 at a width, with ReLU6 as in all later code; for small images the stem does not stride.

    Parameters
    ----------
    width : float
        Factor of all numbers of channels, which are rounded to multiples of 8.
    """
    make = make.with_defaults(activation=nn.ReLU6)
    before = make_divisible(32 * width)
    stem = conv_norm_act(in_channels, before, 3, stride=1 if small else 2, activation=nn.ReLU6)
    stages = []
    for channels, blocks, stride in STAGES:
        after = make_divisible(channels * width)
        stages.append([])
        for position in range(blocks):
            first = position == 0
            stages[-1].append(DepthwiseSeparable(before, after, stride=stride if first else 1, make=make))
            before = after
    return Layout(stem, stages, before, initialise=kaiming)


PUBLISHED = {f"mobilenetv1_x{width}": partial(published, width) for width in (0.25, 0.35, 0.5, 0.75, 1.0)}
