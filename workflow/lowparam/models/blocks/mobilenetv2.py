"""MobileNetV2's inverted residual, a linear bottleneck (Sandler et al. 2018, arXiv 1801.04381, section 3, table 2)."""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site, foldable
from lowparam.models.layers import ConvNormAct, conv_norm_act, kaiming, make_divisible
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "InvertedResidual"]


class InvertedResidual(Block):
    """PW to the hidden width, BN, ReLU6 -> DW 3x3, BN, ReLU6 -> PW, BN, linear; shortcut on the narrow side.

    Where the hidden width is that of the input, there is no first PW.
    """

    defaults = Defaults(activation=nn.ReLU6)
    expansion = 6.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.expand = (
            ConvNormAct(make.pointwise(in_channels, hidden), make.norm(hidden), make.activation(hidden))
            if hidden != in_channels
            else nn.Identity()
        )
        self.depthwise = ConvNormAct(make.spatial(hidden, 3, stride), make.norm(hidden), make.activation(hidden))
        self.gate = make.gate(hidden)
        self.project = ConvNormAct(make.pointwise(hidden, out_channels), make.norm(out_channels))
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        return self.scale(self.project(self.gate(self.depthwise(self.expand(x)))))

    def inner_sites(self) -> list[Site]:
        sites = [
            Site("spatial", self.depthwise),
            Site("projection", self.project, self.project.conv, foldable(self.project.norm)),
        ]
        if isinstance(self.expand, ConvNormAct):
            sites.insert(0, Site("expansion", self.expand, self.expand.conv, foldable(self.expand.norm)))
        return sites


ARCHITECTURES = {"mobilenetv2": InvertedResidual}

STAGES = (  # expansion, channels, blocks, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def published(width: float, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out MobileNetV2 at a width. The last 1x1 convolution has 1280 channels at least.

    For small images the stem and the 24-channel stage do not stride.

    Parameters
    ----------
    width : float
        Factor of all numbers of channels, which are rounded to multiples of 8.
    """
    before = make_divisible(32 * width)
    stem = conv_norm_act(in_channels, before, 3, stride=1 if small else 2, activation=nn.ReLU6)
    stages = []
    for expansion, channels, blocks, stride in STAGES:
        after = make_divisible(channels * width)
        if small and channels == 24:
            stride = 1
        stages.append([])
        for position in range(blocks):
            stages[-1].append(
                InvertedResidual(
                    before,
                    after,
                    stride=stride if position == 0 else 1,
                    hidden=before * expansion,
                    make=make,
                )
            )
            before = after
    features = make_divisible(1280 * max(1.0, width))
    neck = conv_norm_act(before, features, activation=nn.ReLU6)
    return Layout(stem, stages, features, neck=neck, counted_as_head=[neck], initialise=kaiming)


PUBLISHED = {f"mobilenetv2_x{width}": partial(published, width) for width in (0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.4)}
