"""MobileNetV1's depthwise separable convolution (Howard et al. 2017, arXiv 1704.04861, section 3.1)."""

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import ConvNormAct

__all__ = ["ARCHITECTURES", "DepthwiseSeparable"]


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
