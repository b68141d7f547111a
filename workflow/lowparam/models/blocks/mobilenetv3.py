"""MobileNetV3's inverted residual with squeeze-and-excitation (Howard et al. 2019, arXiv 1905.02244, section 5)."""

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import ConvNormAct, SqueezeExcite

__all__ = ["ARCHITECTURES", "InvertedResidualSE"]


class InvertedResidualSE(Block):
    """PW, BN, h-swish -> DW 5x5, BN, h-swish -> SE -> PW, BN, linear; shortcut on the narrow side.

    The paper's table lists kernels 3 and 5, expansions from 1 to 6 and SE in some rows. The controlled mode takes
    one row for all: that of the late stages of MobileNetV3-Large, kernel 5 with SE, at the mean expansion of 4.
    """

    expansion = 4.0
    kernel_size = 5

    def __init__(self, in_channels, out_channels, *, stride, hidden, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, activation=activation)
        activation = activation or nn.Hardswish
        self.expand = ConvNormAct(in_channels, hidden, activation=activation)
        self.depthwise = ConvNormAct(
            hidden, hidden, self.kernel_size, stride=stride, groups=hidden, activation=activation
        )
        self.excite = SqueezeExcite(hidden, max(1, round(hidden / 4)))
        self.project = ConvNormAct(hidden, out_channels)

    def branch(self, x: Tensor) -> Tensor:
        return self.project(self.excite(self.depthwise(self.expand(x))))

    def inner_sites(self) -> list[Site]:
        return [
            Site("expansion", self.expand, self.expand.conv, self.expand.norm),
            Site("spatial", self.depthwise),
            Site("projection", self.project, self.project.conv, self.project.norm),
        ]


ARCHITECTURES = {"mobilenetv3": InvertedResidualSE}
