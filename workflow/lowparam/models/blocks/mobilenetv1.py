"""MobileNetV1's depthwise separable convolution (Howard et al. 2017, arXiv 1704.04861, section 3.1 and table 1)."""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Activation, Block, Layout, Site
from lowparam.models.layers import ConvNormAct, kaiming, make_divisible

__all__ = ["ARCHITECTURES", "PUBLISHED", "DepthwiseSeparable"]


class DepthwiseSeparable(Block):
    """DW 3x3, BN, ReLU -> PW, BN, ReLU. No expansion and no shortcut."""

    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, activation=activation)
        activation = activation or nn.ReLU
        self.depthwise = ConvNormAct(
            in_channels, in_channels, 3, stride=stride, groups=in_channels, activation=activation
        )
        self.pointwise = ConvNormAct(in_channels, out_channels, activation=activation)

    def branch(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise),
            Site("projection", self.pointwise.norm, self.pointwise.conv, self.pointwise.norm),
        ]


ARCHITECTURES = {"mobilenetv1": DepthwiseSeparable}

STAGES = (  # channels, blocks, stride of the first
    (64, 1, 1),
    (128, 2, 2),
    (256, 2, 2),
    (512, 6, 2),
    (1024, 2, 2),
)


def published(width: float, *, in_channels: int, small: bool, activation: Activation | None) -> Layout:
    """MobileNetV1 at a width, with the ReLU6 of all later code; for small images the stem does not stride."""
    activation = activation or nn.ReLU6
    before = make_divisible(32 * width)
    stem = ConvNormAct(in_channels, before, 3, stride=1 if small else 2, activation=nn.ReLU6)
    stages = []
    for channels, blocks, stride in STAGES:
        after = make_divisible(channels * width)
        stages.append([])
        for position in range(blocks):
            first = position == 0
            stages[-1].append(DepthwiseSeparable(before, after, stride=stride if first else 1, activation=activation))
            before = after
    return Layout(stem, stages, before, initialise=kaiming)


PUBLISHED = {f"mobilenetv1_x{width}": partial(published, width) for width in (0.25, 0.35, 0.5, 0.75, 1.0)}
