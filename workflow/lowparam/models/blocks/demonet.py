"""DemoNet's block (Ma et al. 2024, "Rewrite the Stars", arXiv 2403.19967, section 3.4 and appendix A.1).

``demonet_star`` multiplies two branches, ``demonet_sum`` adds them, and nothing else differs. ``_noact`` takes the
activation away, as in table 4.
"""

from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site
from lowparam.models.layers import LayerNorm2d, LayerScale, Product, Sum, truncated_normal
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "DemoStar", "DemoStarNoAct", "DemoSum", "DemoSumNoAct"]


class DemoStar(Block):
    """LN -> DW 7x7 -> two PWs to the hidden width -> GELU(first) * second -> PW -> layer scale; shortcut.

    A block without a shortcut has no layer scale: its initial 1e-6 would silence the stream. The authors' code has
    one layer of twice the hidden width and splits its output; two layers are the same function.
    """

    defaults = Defaults(norm=LayerNorm2d, activation=nn.GELU, scale=LayerScale, bias=True)
    expansion = 3.0
    combine: type[nn.Module] = Product

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.norm = make.norm(in_channels)
        self.depthwise = make.spatial(in_channels, 7, stride)
        self.first = make.pointwise(in_channels, hidden)
        self.second = make.pointwise(in_channels, hidden)
        self.act = make.activation(hidden)
        self.join = self.combine()
        self.gate = make.gate(hidden)
        self.project = make.pointwise(hidden, out_channels)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        x = self.depthwise(self.norm(x))
        x = self.join(self.act(self.first(x)), self.second(x))
        return self.scale(self.project(self.gate(x)))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise),
            Site("branch", self.act, self.first, name="branch1"),
            Site("branch", self.second, self.second, name="branch2"),
            Site(
                "product" if self.combine is Product else "sum",
                self.join,
                factors=(self.first, self.second),
                name="join",
            ),
            Site("projection", self.scale, self.project, scale=getattr(self.scale, "gamma", None)),
        ]


class DemoSum(DemoStar):
    """As ``demonet_star`` with GELU(first) + second."""

    combine = Sum


class DemoStarNoAct(DemoStar):
    """As ``demonet_star`` with first * second."""

    defaults = replace(DemoStar.defaults, activation=nn.Identity)


class DemoSumNoAct(DemoSum):
    """As ``demonet_star`` with first + second: linear but for the layer norm."""

    defaults = replace(DemoStar.defaults, activation=nn.Identity)


ARCHITECTURES = {
    "demonet_star": DemoStar,
    "demonet_sum": DemoSum,
    "demonet_star_noact": DemoStarNoAct,
    "demonet_sum_noact": DemoSumNoAct,
}


def published(
    block: type[DemoStar],
    width: int,
    depth: int,
    *,
    in_channels: int,
    small: bool,
    make: Make,
) -> Layout:
    """Lay out a DemoNet: patches of 16 x 16, blocks of one width, LN after pooling.

    For small images the patches are 4 x 4, so that the stem has 240 x in_channels x width parameters less.

    Parameters
    ----------
    block : type of DemoStar
        Which of the four blocks.
    width, depth : int
        Channels, and number of blocks.
    """
    patch = 4 if small else 16
    stem = nn.Conv2d(in_channels, width, patch, patch)
    hidden = round(block.expansion * width)
    blocks = [block(width, width, stride=1, hidden=hidden, make=make) for _ in range(depth)]
    return Layout(
        stem,
        [blocks],
        width,
        head=nn.LayerNorm(width, eps=1e-6),
        initialise=truncated_normal,
        smallest=patch,
    )


# The two rows of networks that the authors registered: by width at depth 12, by depth at width 192.
SIZES = {
    **{f"d12_w{width}": (width, 12) for width in range(32, 449, 32)},
    **{f"d{depth}_w192": (192, depth) for depth in range(6, 25, 2)},
    # Not registered: the same two rows at the widths that small images need.
    **{f"d12_w{width}": (width, 12) for width in (8, 12, 16, 20, 24, 48)},
    **{f"d{depth}_w{width}": (width, depth) for width in (16, 32) for depth in range(6, 25, 2)},
}

PUBLISHED = {
    f"{name}_{label}": partial(published, block, *size)
    for name, block in ARCHITECTURES.items()
    for label, size in SIZES.items()
}
