"""UniRepLKNet's block, a large kernel with dilated ones (Ding et al. 2023, arXiv 2311.15599; the authors' code)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Layout, Site, foldable
from lowparam.models.blocks.convnextv2 import GlobalResponseNorm
from lowparam.models.branches import embedding
from lowparam.models.large_kernel import LargeKernelBlock, ReparamConv, sized
from lowparam.models.layers import ConvNormAct, LayerNorm2d, LayerScale, SqueezeExcite, truncated_normal
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "BRANCHES", "PUBLISHED", "PlainBlock", "UniRepLKBlock"]

BRANCHES: Mapping[int, Sequence[tuple[int, int]]] = {  # kernel and dilation of what is next to a large kernel
    7: ((5, 1), (3, 2), (3, 3)),
    9: ((5, 1), (5, 2), (3, 3), (3, 4)),
    13: ((5, 1), (7, 2), (3, 3), (3, 4), (3, 5)),
}


class UniRepLKBlock(LargeKernelBlock):
    """Reparameterised DW k x k, BN -> SE -> PW to the hidden width, GELU, GRN -> PW, BN -> layer scale; shortcut.

    The convolution is BN(DW k x k) + the sum of BN(DW, dilated), which are one kernel after training. Kernels are 13, 9
    and 7 in the stages of the skeleton. A block that strides or widens begins with a dense 3x3 and a layer norm, as the
    stages of the published network do, and has its shortcut after it.
    """

    defaults = Defaults(activation=nn.GELU, gate=GlobalResponseNorm, scale=LayerScale)
    expansion = 4.0
    branches: Mapping[int, Sequence[tuple[int, int]]] = BRANCHES

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        before, width, make = (make or Make()).bind(_BETWEEN), out_channels, self.bound(make)
        keeps, small = stride == 1 and in_channels == width, self.branches.get(self.kernel_size)
        self.embed = embedding(before, in_channels, width, stride)
        self.join_after = None if keeps else make.join(width)
        if small is None:
            self.spatial: nn.Module = make.spatial(width, self.kernel_size, bias=False)
        else:
            self.spatial = ReparamConv(make, width, self.kernel_size, small)
        self.norm = make.norm(width)
        self.excite = SqueezeExcite(width, max(1, (hidden + 8) // 16), gate=nn.Sigmoid)  # a quarter of the width
        self.expand = make.pointwise(width, hidden, bias=True)
        self.act = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = ConvNormAct(make.pointwise(hidden, width), make.norm(width))
        joins = self.residual or self.join_after is not None
        self.scale = make.scale(width) if joins else nn.Identity()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        y = self.act(self.expand(self.excite(self.norm(self.spatial(x)))))
        y = self.scale(self.project(self.gate(y)))
        return y if self.join_after is None else self.join_after(x, y)

    def inner_sites(self) -> list[Site]:
        norm, gamma = foldable(self.project.norm), getattr(self.scale, "gamma", None)
        return [
            Site("spatial", self.norm),
            Site("expansion", self.act, self.expand),
            Site("projection", self.scale, self.project.conv, norm, scale=gamma),
        ]


class PlainBlock(UniRepLKBlock):
    """As `unireplknet` with a plain large kernel: no others next to it, and no norm of their sum."""

    branches: Mapping[int, Sequence[tuple[int, int]]] = {}


_BETWEEN = replace(UniRepLKBlock.defaults, norm=LayerNorm2d, bias=True)

ARCHITECTURES = {"unireplknet": UniRepLKBlock, "unireplknet_plain": PlainBlock}


def published(width: int, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out UniRepLKNet: two 3x3 of stride 2, then a 3x3 of stride 2 between stages, and a layer norm after each.

    Kernels are 3 in the first stage and 13 in the others; counts are those of training. For small images the second
    3x3 of the stem does not stride.

    Parameters
    ----------
    width : int
        Channels of the first stage, doubled in each of the other three.
    """
    own = make.bind(_BETWEEN)
    stem = nn.Sequential(
        *[nn.Conv2d(in_channels, width // 2, 3, 2, 1), LayerNorm2d(width // 2), nn.GELU()],
        *[nn.Conv2d(width // 2, width, 3, 1 if small else 2, 1), LayerNorm2d(width)],
    )
    stages: list[list[nn.Module]] = []
    for stage, depth in enumerate((2, 2, 6, 2)):
        block = sized(UniRepLKBlock, 13 if stage else 3)
        channels = width * 2**stage
        blocks = [block(channels, channels, stride=1, hidden=4 * channels, make=make) for _ in range(depth)]
        stages.append([*([embedding(own, channels // 2, channels, 2)] if stage else []), *blocks])
    last = width * 8
    return Layout(stem, stages, last, head=nn.LayerNorm(last, eps=1e-6), initialise=truncated_normal)


PUBLISHED = {f"unireplknet_{name}": partial(published, width) for name, width in (("a", 40), ("f", 48), ("p", 64))}
