"""Lite-HRNet's conditional channel weighting at one resolution (Yu et al. 2021, arXiv 2104.06403, section 3.2).

In the paper the weights of a map come from the maps of all resolutions, which a network of parallel resolutions has.
The skeleton here has one at a time, so that the weights come from the map itself, without pooling; there are no
published networks.
"""

from dataclasses import replace

from torch import Tensor, nn

from lowparam.models.blocks.base import Site, foldable
from lowparam.models.blocks.shuffleunit import ShuffleUnit
from lowparam.models.layers import ConvNormAct, Product, SqueezeExcite
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "WeightingUnit"]


class WeightingUnit(ShuffleUnit):
    """Half of the channels pass; the others: x sigmoid(PW, BN of PW, BN, ReLU) -> DW 3x3, BN -> SE; then both in turn.

    `shuffleunit` with weights in place of its 1x1 convolutions; the waist of the weights is an eighth of the half, and
    at least 2, because a norm over one channel would silence it. A block that strides or widens is one of
    `shuffleunit`, which is ours: the paper does it between modules.
    """

    def inside(self, make: Make, channels: int, hidden: int) -> nn.Module:
        return _Weighting(make.bind(replace(self.defaults, gate=_spatial_weights)), channels)


class _Weighting(nn.Module):
    def __init__(self, make: Make, channels: int) -> None:
        super().__init__()
        waist = max(2, channels // 8)
        self.reduce = ConvNormAct(make.pointwise(channels, waist), make.norm(waist), make.activation(waist))
        self.weigh = ConvNormAct(make.pointwise(waist, channels), make.norm(channels), nn.Sigmoid())
        self.product = Product()
        self.depthwise = ConvNormAct(make.spatial(channels, 3), make.norm(channels))
        self.gate = make.gate(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.depthwise(self.product(x, self.weigh(self.reduce(x)))))

    def sites(self) -> list[Site]:
        return [
            Site("reduction", self.reduce, self.reduce.conv, foldable(self.reduce.norm)),
            Site("branch", self.weigh, self.weigh.conv, foldable(self.weigh.norm)),
            Site("product", self.product),
            Site("spatial", self.depthwise),
        ]


def _spatial_weights(channels: int) -> nn.Module:
    return SqueezeExcite(channels, max(1, channels // 4), gate=nn.Sigmoid)


ARCHITECTURES = {"ccw_single": WeightingUnit}
