"""Lite-Mono's two blocks (Zhang et al. 2022, arXiv 2211.13202, section 3.2; the authors' networks/depth_encoder.py).

Lite-Mono estimates depth; a stage of its encoder is some dilated convolutions, then one interaction of local and global
features. There are no published networks for classification. The position code of its first stage is left out.
"""

from dataclasses import replace

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.branches import HiddenBranch, embedding
from lowparam.models.layers import LayerNorm2d, LayerScale, Sum
from lowparam.models.layers.covariance import CrossCovariance
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "DilatedBlock", "InteractionBlock"]

HEADS = 8


class DilatedBlock(Block):
    """DW 3x3, dilated, BN -> PW to the hidden width, GELU -> PW -> layer scale; shortcut on the narrow side.

    The dilation is 2 in a block that keeps width and size, and 1 in one that does not: 3 and more, which the paper has
    too, would read mostly padding. Such a block begins with a dense 3x3, as the stages of the paper's network do, and
    has its shortcut after it. No part takes the place of the dilated convolution.
    """

    defaults = Defaults(activation=nn.GELU, scale=LayerScale)
    expansion = 6.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, keeps = self.bound(make), stride == 1 and in_channels == out_channels
        self.embed = embedding(make, in_channels, out_channels, stride, norm=False)
        self.join_after = None if keeps else make.join(out_channels)
        joins = self.residual or self.join_after is not None
        self.inside = self.make_inside(make, out_channels, hidden, keeps=keeps, scale=joins)

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def make_inside(self, make: Make, width: int, hidden: int, *, keeps: bool, scale: bool) -> nn.Module:
        """Make the branch: what is between the down-sampler, if there is one, and the sum."""
        return _Dilated(make, width, hidden, dilation=2 if keeps else 1, scale=scale)

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        y = self.inside(x)
        return y if self.join_after is None else self.join_after(x, y)

    def inner_sites(self) -> list[Site]:
        return self.inside.sites()


class InteractionBlock(DilatedBlock):
    """x + s2 F(LN t) with t = x + s1 A(LN x): A attends between channels, F is PW to the hidden width, GELU -> PW.

    Attention reaches the output through F alone. A block that strides or widens is one of `cdc`, so that a stage is
    dilated convolutions, then interaction, as in the paper; else nothing would mix positions. Eight heads; where 8 does
    not divide the width, heads are as wide as the next multiple of 8 allows.
    """

    def make_inside(self, make: Make, width: int, hidden: int, *, keeps: bool, scale: bool) -> nn.Module:
        if not keeps:
            return super().make_inside(make, width, hidden, keeps=keeps, scale=scale)
        return _Interaction(make.bind(replace(self.defaults, norm=LayerNorm2d)), width, hidden, scale=scale)


class _Dilated(nn.Module):
    def __init__(self, make: Make, width: int, hidden: int, *, dilation: int, scale: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, 1, dilation, dilation, groups=width, bias=False)
        self.mlp = HiddenBranch(make, width, hidden, bias=True, scale=scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(self.depthwise(x))

    def sites(self) -> list[Site]:
        return [Site("spatial", self.depthwise), *self.mlp.sites()]


class _Interaction(nn.Module):
    def __init__(self, make: Make, width: int, hidden: int, *, scale: bool) -> None:
        super().__init__()
        inner = HEADS * -(-width // HEADS)
        self.norm = make.norm(width)
        self.read = make.pointwise(width, 3 * inner, bias=True)
        self.attention = CrossCovariance(HEADS)
        self.write = make.pointwise(inner, width, bias=True)
        self.scale_attention = make.scale(width)
        self.sum = Sum()
        self.mlp = HiddenBranch(make, width, hidden, bias=True, scale=scale)

    def forward(self, x: Tensor) -> Tensor:
        attended = self.write(self.attention(self.read(self.norm(x))))
        return self.mlp(self.sum(x, self.scale_attention(attended)))

    def sites(self) -> list[Site]:
        gamma = getattr(self.scale_attention, "gamma", None)
        return [
            Site("expansion", self.read, self.read, name="read"),
            Site("spatial", self.attention),
            Site("projection", self.scale_attention, self.write, scale=gamma, name="write"),
            *self.mlp.sites(),
        ]


ARCHITECTURES = {"cdc": DilatedBlock, "cdc_lgfi": InteractionBlock}
