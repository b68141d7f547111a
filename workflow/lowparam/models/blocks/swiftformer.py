"""SwiftFormer's encoder, efficient additive attention (Shaker et al. 2023, arXiv 2303.15446, section 3)."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site
from lowparam.models.branches import HiddenBranch, embedding
from lowparam.models.layers import LayerScale, Product, Sum, conv_norm_act, truncated_normal
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "AdditiveAttention", "ConvEncoder", "Encoder"]

ONE = partial(LayerScale, initial=1.0)
"""The factor of local branches, which begins at 1."""


class AdditiveAttention(nn.Module):
    """W_f (W_p (G * k_p) + q_p) at position p, with one vector G = sum_p a_p q_p for all of the map.

    q and k are linear in the input and have length 1 at each position; a_p = q_p . w_g, divided by its length over the
    positions, so that it may be negative. There are no values, and no softmax. Linear in the number of positions.

    Parameters
    ----------
    make : Make
        Makes the 1x1 convolutions.
    channels : int
        C.
    """

    def __init__(self, make: Make, channels: int) -> None:
        super().__init__()
        self.pool = GlobalQuery(channels)
        self.query = make.pointwise(channels, channels)
        self.key = make.pointwise(channels, channels)
        self.product = Product()
        self.mix = make.pointwise(channels, channels)
        self.sum = Sum()
        self.write = make.pointwise(channels, channels)
        self.unit = UnitLength()

    def forward(self, x: Tensor) -> Tensor:
        query, key = self.unit(self.query(x)), self.unit(self.key(x))
        return self.write(self.sum(self.mix(self.product(key, self.pool(query))), query))


class UnitLength(nn.Module):
    """x / |x|, the length over the channels."""

    drawn = "length 1"

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1)


class GlobalQuery(nn.Module):
    """The sum of q over positions with weights q . w_g, scaled to length 1: (N, C, H, W) to (N, C, 1, 1)."""

    drawn = "weighted sum"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, 1, 1))

    def forward(self, query: Tensor) -> Tensor:
        scores = F.normalize((query * self.weight).sum(1, keepdim=True).flatten(2), dim=2)
        return (query.flatten(2) * scores).sum(2)[..., None, None]


class ConvEncoder(Block):
    """DW 3x3, BN -> PW to the hidden width, GELU -> PW -> layer scale; shortcut on the narrow side."""

    defaults = Defaults(activation=nn.GELU, scale=ONE, bias=True)
    expansion = 4.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.depthwise = make.spatial(in_channels, 3, stride)
        self.mlp = HiddenBranch(make, in_channels, hidden)

    def branch(self, x: Tensor) -> Tensor:
        return self.mlp(self.depthwise(x))

    def inner_sites(self) -> list[Site]:
        return [Site("spatial", self.depthwise), *self.mlp.sites()]


class Encoder(Block):
    """x + (DW 3x3, BN -> PW, GELU -> PW), then x + s1 A(x) with additive attention, then x + s2 (BN -> PW, GELU -> PW).

    The factors s begin at 1e-5. A block that strides or widens begins with a dense 3x3 and a norm, as the stages of
    the published network do. Every block of the skeleton is an encoder; in the published network the last of a stage
    is one. The shortcuts are inside, so a probe at S1 or S2 acts on the output.
    """

    defaults = Defaults(activation=nn.GELU, scale=partial(LayerScale, initial=1e-5), bias=True)
    expansion = 4.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        width, local = out_channels, (make or Make()).with_defaults(scale=ONE).bind(self.defaults)
        make = self.bound(make)
        self.embed = embedding(make, in_channels, width, stride)
        self.depthwise = make.spatial(width, 3)
        self.local = HiddenBranch(local, width, width)
        self.attention = AdditiveAttention(make, width)
        self.scale_attention = make.scale(width)
        self.mlp = HiddenBranch(make, width, hidden)
        self.sum_local, self.sum_attention, self.sum_hidden = Sum(), Sum(), Sum()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = self.sum_local(x, self.local(self.depthwise(x)))
        x = self.sum_attention(x, self.scale_attention(self.attention(x)))
        return self.sum_hidden(x, self.mlp(x))

    def inner_sites(self) -> list[Site]:
        """Return the sites; what attention writes is a projection, and the global query times a key is a product."""
        attention, gamma = self.attention, getattr(self.scale_attention, "gamma", None)
        return [
            Site("spatial", self.depthwise),
            *self.local.sites("local"),
            Site("branch", attention.query, attention.query, name="query"),
            Site("branch", attention.key, attention.key, name="key"),
            Site("product", attention.product),
            Site("projection", self.scale_attention, attention.write, scale=gamma, name="write"),
            *self.mlp.sites(),
        ]


ARCHITECTURES = {"swiftformer_encoder": Encoder}


def published(widths: tuple[int, ...], depths: tuple[int, ...], *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out SwiftFormer: two 3x3 of stride 2, then 3x3 of stride 2 between stages, whose last block is an encoder.

    The published counts have a second classifier, for distillation, which is not here. For small images the second
    3x3 of the stem does not stride.

    Parameters
    ----------
    widths, depths : tuple of int
        Channels and number of blocks of every stage.
    """
    before, own = widths[0], make.bind(Encoder.defaults)
    stem = nn.Sequential(
        conv_norm_act(in_channels, before // 2, 3, stride=2, activation=nn.ReLU, bias=True),
        conv_norm_act(before // 2, before, 3, stride=1 if small else 2, activation=nn.ReLU, bias=True),
    )
    stages: list[list[nn.Module]] = []
    for width, depth in zip(widths, depths, strict=True):
        kinds = [ConvEncoder] * (depth - 1) + [Encoder]
        blocks = [kind(width, width, stride=1, hidden=4 * width, make=make) for kind in kinds]
        stages.append([*([embedding(own, before, width, 2)] if stages else []), *blocks])
        before = width
    return Layout(stem, stages, before, neck=nn.BatchNorm2d(before), initialise=truncated_normal)


PUBLISHED = {  # the authors' models/swiftformer.py
    "swiftformer_xs": partial(published, (48, 56, 112, 220), (3, 3, 6, 4)),
    "swiftformer_s": partial(published, (48, 64, 168, 224), (3, 3, 9, 6)),
    "swiftformer_l1": partial(published, (48, 96, 192, 384), (4, 3, 10, 5)),
}
