"""SpaRTAN's block in its depthwise form (Pay et al. 2025, arXiv 2507.10999; the authors' src/model/spartan.py).

The first two stages of the paper's network have dense convolutions in its place, which are not here; so there is no
published network.
"""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.branches import embedding
from lowparam.models.layers import ConvNormAct, LayerScale, SqueezeExcite, Sum
from lowparam.models.layers.split import Concatenation
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "Contrast", "SpartanBlock", "StrongestProduct", "Wave"]

RATIO = 2  # channels of the second half over the width
SQUEEZED = 4  # at least: of fewer, a rectifier may silence all for good


class Contrast(nn.Module):
    """x + gamma (x - the mean of x over positions), gamma learned for each channel, 1e-5 at first.

    Parameters
    ----------
    channels : int
        C.
    """

    drawn = "contrast"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels, 1, 1), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * (x - x.mean((2, 3), keepdim=True))


class StrongestProduct(nn.Module):
    """v theta + v_k theta_k, where k is the largest channel of x at each position; x chooses and gets no gradient."""

    drawn = "× + × of the largest channel"

    def forward(self, theta: Tensor, value: Tensor, x: Tensor) -> Tensor:
        product = value * theta
        return product + product.gather(1, x.argmax(1, keepdim=True))


class Wave(nn.Module):
    """Channels 2 i and 2 i + 1 as a complex number, times a learned one for each pair.

    Parameters
    ----------
    channels : int
        An even number.
    """

    drawn = "complex factors"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, channels // 2, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        real, imaginary = x.unflatten(1, (-1, 2)).unbind(2)
        a, b = self.weight
        return torch.stack((a * real - b * imaginary, a * imaginary + b * real), 2).flatten(1, 2)


class SpartanBlock(Block):
    """x + s1 S(GN x), then x + s2 C(GN x): S mixes positions in two branches, C gates channels by products.

    S is PW to C / 2, contrast -> DW 3x3, BN, GELU, SE and two DW 3x3 of dilation 2, BN, GELU, SE -> both -> PW. C is
    GELU(PW) * PW plus the same product at the largest channel, complex factors -> 3x3 in groups of 2, BN, GELU, SE ->
    PW. GN is a group norm with one group. The factors s begin at 1e-5. A block that strides or widens begins with a
    dense 3x3 and a norm, where the paper has a 2x2. The shortcuts are inside, so a probe at S1 or S2 acts on the
    output.
    """

    defaults = Defaults(
        norm=partial(nn.GroupNorm, 1, eps=1e-6), activation=nn.GELU, scale=partial(LayerScale, initial=1e-5), bias=True
    )
    expansion = 2.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        inside = (make or Make()).bind(replace(self.defaults, norm=nn.BatchNorm2d))
        make, width = self.bound(make), out_channels
        half, wide = max(1, (hidden + 2) // 4), RATIO * width
        self.embed = embedding(inside, in_channels, width, stride)
        self.norm_spatial = make.norm(width)
        self.reduce = make.pointwise(width, half)
        self.contrast = Contrast(half)
        self.high = ConvNormAct(inside.spatial(half, 3, bias=False), inside.norm(half), inside.activation(half))
        self.excite_high = _excite(half, half // 4)
        self.low = nn.Sequential(
            _dilated(half), ConvNormAct(_dilated(half), inside.norm(half), inside.activation(half))
        )
        self.excite_low = _excite(half, half // 4)
        self.both = Concatenation()
        self.write = make.pointwise(2 * half, width)
        self.scale_spatial = make.scale(width)
        self.norm_channels = make.norm(width)
        self.theta = make.pointwise(width, wide)
        self.act_theta = make.activation(wide)
        self.value = make.pointwise(width, wide)
        self.product = StrongestProduct()
        self.wave = Wave(wide)
        grouped = nn.Conv2d(wide, wide, 3, padding=1, groups=width, bias=False)
        self.grouped = ConvNormAct(grouped, inside.norm(wide), inside.activation(wide))
        self.excite = _excite(wide, width // 4)
        self.project = make.pointwise(wide, width)
        self.scale_channels = make.scale(width)
        self.sum_spatial, self.sum_channels = Sum(), Sum()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        u = self.contrast(self.reduce(self.norm_spatial(x)))
        u = self.write(self.both(self.excite_high(self.high(u)), self.excite_low(self.low(u))))
        x = self.sum_spatial(x, self.scale_spatial(u))
        u = self.norm_channels(x)
        y = self.wave(self.product(self.act_theta(self.theta(u)), self.value(u), u))
        return self.sum_channels(x, self.scale_channels(self.project(self.excite(self.grouped(y)))))

    def inner_sites(self) -> list[Site]:
        """Return the sites; the largest channel is added to the product, which has no factors in a measure's sense."""
        gammas = [getattr(scale, "gamma", None) for scale in (self.scale_spatial, self.scale_channels)]
        return [
            Site("reduction", self.reduce, self.reduce),
            Site("spatial", self.both),
            Site("projection", self.scale_spatial, self.write, scale=gammas[0], name="write"),
            Site("branch", self.act_theta, self.theta, name="theta"),
            Site("branch", self.value, self.value, name="value"),
            Site("product", self.product),
            Site("spatial", self.grouped, name="grouped"),
            Site("projection", self.scale_channels, self.project, scale=gammas[1]),
        ]


def _dilated(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, 1, 2, 2, groups=channels, bias=False)


def _excite(channels: int, squeezed: int) -> nn.Module:
    return SqueezeExcite(channels, max(SQUEEZED, squeezed), gate=nn.Sigmoid)


ARCHITECTURES = {"spartan": SpartanBlock}
LABELS = {"spartan": "SpaRTAN"}
