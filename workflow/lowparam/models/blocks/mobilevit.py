"""MobileViT's block (Mehta and Rastegari 2021, arXiv 2110.02178, section 3.1; timm's models/mobilevit.py).

Published networks are timm's (`timm:mobilevit_xxs`).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site, foldable
from lowparam.models.branches import HiddenBranch
from lowparam.models.layers import ConvNormAct, LayerNorm2d, Sum, largest_divisor
from lowparam.models.layers.split import Concatenation
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "AcrossPatches", "MobileViTBlock"]

HEADS, PATCH = 4, 2


class AcrossPatches(nn.Module):
    """Attention between the positions that have the same place in their 2x2 patch, and no others.

    From (N, 3 h d, H, W), which holds queries, keys and values of h heads, to (N, h d, H, W); H and W are even.

    Parameters
    ----------
    heads : int
        h.
    """

    drawn = "attention across patches"

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, qkv: Tensor) -> Tensor:
        n, channels, height, width = qkv.shape
        rows, columns, wide = height // PATCH, width // PATCH, channels // 3 // self.heads
        places = qkv.reshape(n, 3, self.heads, wide, rows, PATCH, columns, PATCH).permute(1, 0, 5, 7, 2, 4, 6, 3)
        query, key, value = places.flatten(5, 6)
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = mixed.unflatten(4, (rows, columns)).permute(0, 3, 6, 4, 1, 5, 2)
        return mixed.reshape(n, channels // 3, height, width)


class MobileViTBlock(Block):
    """3x3, BN, SiLU -> PW -> y + A(LN y), then y + F(LN y) -> LN -> PW, BN, SiLU -> 3x3 of input and this, BN, SiLU.

    The smallest form: one layer with attention A across 2x2 patches and a hidden branch F, as wide as the block, and as
    many heads as divide its width, 4 at most. There is no position code, and no shortcut but those of the layer. A map
    of odd height or width is resized between the PWs, as in timm. On a map of 2x2, the last of images of 8 pixels, each
    position attends to itself only. A block that strides or widens begins with an inverted residual of expansion 2, as
    in the published network.
    """

    defaults = Defaults(activation=nn.SiLU)
    expansion = 2.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        width, given = out_channels, make or Make()
        make, tokens = self.bound(make), given.bind(Defaults(norm=LayerNorm2d, activation=nn.SiLU, bias=True))
        keeps = stride == 1 and in_channels == width
        self.embed = nn.Identity() if keeps else _inverted(make, in_channels, width, stride)
        self.local = ConvNormAct(make.spatial(width, 3, dense=True), make.norm(width), make.activation(width))
        self.enter = make.pointwise(width, width, bias=False)
        self.norm = tokens.norm(width)
        self.read = tokens.pointwise(width, 3 * width)
        self.attention = AcrossPatches(largest_divisor(width, HEADS))
        self.write = tokens.pointwise(width, width)
        self.sum_attention, self.sum_hidden = Sum(), Sum()
        self.mlp = HiddenBranch(tokens, width, hidden)
        self.norm_out = tokens.norm(width)
        self.project = ConvNormAct(make.pointwise(width, width), make.norm(width), make.activation(width))
        self.both = Concatenation()
        fuse = nn.Conv2d(2 * width, width, 3, padding=1, bias=False)
        self.fuse = ConvNormAct(fuse, make.norm(width), make.activation(width))

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        y = _resized(self.enter(self.local(x)), [-(-side // PATCH) * PATCH for side in x.shape[2:]])
        y = self.sum_attention(y, self.write(self.attention(self.read(self.norm(y)))))
        y = _resized(self.norm_out(self.sum_hidden(y, self.mlp(y))), list(x.shape[2:]))
        return self.fuse(self.both(x, self.project(y)))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.local, name="local"),
            Site("expansion", self.enter, self.enter, name="enter"),
            Site("expansion", self.read, self.read, name="read"),
            Site("spatial", self.attention),
            Site("projection", self.write, self.write, name="write"),
            *self.mlp.sites(),
            Site("projection", self.project, self.project.conv, foldable(self.project.norm), name="leave"),
        ]


def _resized(x: Tensor, size: list[int]) -> Tensor:
    return x if list(x.shape[2:]) == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _inverted(make: Make, before: int, after: int, stride: int) -> nn.Module:
    wide = 2 * before
    return nn.Sequential(
        ConvNormAct(make.pointwise(before, wide), make.norm(wide), make.activation(wide)),
        ConvNormAct(make.spatial(wide, 3, stride), make.norm(wide), make.activation(wide)),
        ConvNormAct(make.pointwise(wide, after), make.norm(after)),
    )


ARCHITECTURES = {"mobilevit": MobileViTBlock}
LABELS = {"mobilevit": "MobileViT block"}
