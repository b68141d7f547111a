"""MobileNetV2's inverted residual with a linear bottleneck (Sandler et al. 2018, arXiv 1801.04381, section 3)."""

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import ConvNormAct

__all__ = ["ARCHITECTURES", "InvertedResidual"]


class InvertedResidual(Block):
    """PW to the hidden width, BN, ReLU6 -> DW 3x3, BN, ReLU6 -> PW, BN, linear; shortcut on the narrow side."""

    expansion = 6.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, activation=activation)
        activation = activation or nn.ReLU6
        self.expand = ConvNormAct(in_channels, hidden, activation=activation)
        self.depthwise = ConvNormAct(hidden, hidden, 3, stride=stride, groups=hidden, activation=activation)
        self.project = ConvNormAct(hidden, out_channels)

    def branch(self, x: Tensor) -> Tensor:
        return self.project(self.depthwise(self.expand(x)))

    def inner_sites(self) -> list[Site]:
        return [
            Site("expansion", self.expand, self.expand.conv, self.expand.norm),
            Site("spatial", self.depthwise),
            Site("projection", self.project, self.project.conv, self.project.norm),
        ]


ARCHITECTURES = {"mobilenetv2": InvertedResidual}
