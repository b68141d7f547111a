"""MobileNeXt's sandglass block (Zhou et al. 2020, arXiv 2007.02269, section 3.2, and the authors' code)."""

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import ConvNormAct

__all__ = ["ARCHITECTURES", "Sandglass"]


class Sandglass(Block):
    """DW 3x3, BN, ReLU6 -> PW to the waist, BN, linear -> PW, BN, ReLU6 -> DW 3x3, BN, linear.

    The shortcut joins the wide ends. As in the authors' code, a widening block has no first depthwise
    convolution, and one that widens without striding has no second one either.
    """

    expansion = 1 / 6

    def __init__(self, in_channels, out_channels, *, stride, hidden, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, activation=activation)
        activation = activation or nn.ReLU6
        widens = in_channels != out_channels
        self.depthwise_in = (
            nn.Identity()
            if widens
            else ConvNormAct(in_channels, in_channels, 3, groups=in_channels, activation=activation)
        )
        self.reduce = ConvNormAct(in_channels, hidden)
        self.expand = ConvNormAct(hidden, out_channels, activation=activation)
        self.depthwise_out = (
            nn.Identity()
            if widens and stride == 1
            else ConvNormAct(out_channels, out_channels, 3, stride=stride, groups=out_channels)
        )

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * max(in_width, out_width)

    def branch(self, x: Tensor) -> Tensor:
        return self.depthwise_out(self.expand(self.reduce(self.depthwise_in(x))))

    def inner_sites(self) -> list[Site]:
        sites = [
            Site("reduction", self.reduce, self.reduce.conv, self.reduce.norm),
            Site("expansion", self.expand, self.expand.conv, self.expand.norm),
        ]
        if isinstance(self.depthwise_in, ConvNormAct):
            sites.insert(0, Site("spatial", self.depthwise_in))
        return sites


ARCHITECTURES = {"mobilenext": Sandglass}
