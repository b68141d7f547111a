"""StarNet's block (Ma et al. 2024, "Rewrite the Stars", arXiv 2403.19967, section 4.2 and appendix A.1).

``starnet_sum`` replaces the product of the two branches by their sum, and nothing else. The paper's further variants
have names too, in both modes, as ``starnet_<variant>`` and ``starnet_<variant>_<size>``:

``sum1``, ``sum34``                               sum in the stages named, counted from 1; star in the others (table 7)
``noact``, ``actboth``, ``actproduct``            activation on no branch, on both, on the product instead (table 9)
``relu``, ``gelu``, ``leakyrelu``, ``hardswish``  activation of another kind (table 17)
``gate``, ``gatepw``, ``shared``, ``square``      other designs at equal parameters and MACs (table 18)

The designs are readings. Of II and III the text says that one branch only is transformed, and that parameters and
FLOPs are equal: ``gate`` has no pointwise layer after the product, ``gatepw`` has one. IV and V are said to be forms of
X * X, and are drawn in a figure only: ``shared`` and ``square`` transform once, with the activation on one factor or
on both.
"""

from dataclasses import replace
from functools import partial
from itertools import combinations

from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.blocks.base import Block, Layout, Site, foldable
from lowparam.models.layers import ConvNormAct, Product, Sum, conv_norm_act
from lowparam.models.make import Defaults, Make

__all__ = ["ABLATIONS", "ARCHITECTURES", "PUBLISHED", "GateBlock", "SharedBlock", "StarBlock", "SumBlock"]


class StarBlock(Block):
    """DW 7x7, BN -> two PWs to the hidden width -> ReLU6(first) * second -> PW, BN -> DW 7x7; narrow shortcut.

    All convolutions have biases.
    """

    defaults = Defaults(activation=nn.ReLU6, bias=True)
    expansion = 4.0
    combine: type[nn.Module] = Product
    activated: tuple[str, ...] = ("first",)  # of first, second and product

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.depthwise_in = ConvNormAct(make.spatial(in_channels, 7, stride), make.norm(in_channels))
        self._branches(make, in_channels, hidden)
        self.act, self.act_second, self.act_product = (
            make.activation(hidden) if place in self.activated else nn.Identity()
            for place in ("first", "second", "product")
        )
        self.join = self.combine()
        self._projection(make, in_channels, hidden, out_channels)
        self.depthwise_out = make.spatial(out_channels, 7)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def _branches(self, make: Make, in_channels: int, hidden: int) -> None:
        self.first = make.pointwise(in_channels, hidden)
        self.second = make.pointwise(in_channels, hidden)

    def _projection(self, make: Make, in_channels: int, hidden: int, out_channels: int) -> None:
        self.gate = make.gate(hidden)
        self.project = ConvNormAct(make.pointwise(hidden, out_channels), make.norm(out_channels))

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.inside(in_width, out_width, cls.expansion)

    @classmethod
    def inside(cls, in_width: float, out_width: float, expansion: float) -> float:
        """Return the hidden width before rounding with which a design costs what the standard one costs."""
        return expansion * in_width

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two maps (N, C, H, W) that are joined, from the output of the first depthwise convolution."""
        return self.act(self.first(x)), self.act_second(self.second(x))

    def branch(self, x: Tensor) -> Tensor:
        joined = self.join(*self.branches(self.depthwise_in(x)))
        return self.scale(self.depthwise_out(self.project(self.gate(self.act_product(joined)))))

    def branch_sites(self) -> list[Site]:
        """Return the sites between the first depthwise convolution and the product."""
        return [
            Site("branch", self.act, self.first, name="branch1"),
            Site("branch", self.act_second, self.second, name="branch2"),
        ]

    def joined_site(self) -> Site:
        """Return the site at the product."""
        kind = "product" if self.combine is Product else "sum"
        return Site(kind, self.join, factors=(self.first, self.second), name="join")

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise_in, name="spatial_in"),
            *self.branch_sites(),
            self.joined_site(),
            Site("projection", self.project, self.project.conv, foldable(self.project.norm)),
            Site("spatial", self.depthwise_out, name="spatial_out"),
        ]


class SumBlock(StarBlock):
    """As ``starnet`` with ReLU6(first) + second."""

    combine = Sum


class MixedBlock(StarBlock):
    """As `StarBlock` with ReLU6(first) + second in some stages."""

    summed: tuple[int, ...] = ()  # stages counted from 1

    @classmethod
    def by_stage(cls, stages: int) -> list[type[Block]]:
        if max(cls.summed) > stages:
            raise LowparamError(
                f"starnet_sum{''.join(map(str, cls.summed))} adds in stage {max(cls.summed)}, "
                f"but for images of this size there are {stages} stages"
            )
        return [SumBlock if stage + 1 in cls.summed else StarBlock for stage in range(stages)]


class GateBlock(StarBlock):
    """As `StarBlock` with second(ReLU6(first)) * x, and no PW after it unless the width changes.

    Reading of design II of table 18.
    """

    projects = False

    def _branches(self, make: Make, in_channels: int, hidden: int) -> None:
        self.first = make.pointwise(in_channels, hidden)
        self.second = make.pointwise(hidden, in_channels)

    def _projection(self, make: Make, in_channels: int, hidden: int, out_channels: int) -> None:
        projects = self.projects or in_channels != out_channels
        self.gate = make.gate(in_channels) if projects else nn.Identity()
        self.project = (
            # pyrefly: ignore[bad-assignment]: where the base class has a convolution and a norm, this has a norm alone
            ConvNormAct(make.pointwise(in_channels, out_channels), make.norm(out_channels))
            if projects
            else make.norm(out_channels)
        )

    @classmethod
    def inside(cls, in_width: float, out_width: float, expansion: float) -> float:
        project = out_width if cls.projects or in_width != out_width else 0
        return max(1.0, expansion * (in_width + out_width / 2) - project / 2)

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.second(self.act(self.first(x))), x

    def inner_sites(self) -> list[Site]:
        last = (self.project.conv, foldable(self.project.norm)) if isinstance(self.project, ConvNormAct) else ()
        return [
            Site("spatial", self.depthwise_in, name="spatial_in"),
            Site("expansion", self.act, self.first),
            Site("projection", self.second, self.second),
            Site("product", self.join, name="join"),
            Site("projection", self.project, *last, name="projection_out"),
            Site("spatial", self.depthwise_out, name="spatial_out"),
        ]


class GateProjectBlock(GateBlock):
    """As `GateBlock` with a PW, BN after the product. Reading of design III of table 18."""

    projects = True


class SharedBlock(StarBlock):
    """As `StarBlock` with ReLU6(first) * first: both branches share their weights. Reading of design IV of table 18."""

    def _branches(self, make: Make, in_channels: int, hidden: int) -> None:
        self.first = make.pointwise(in_channels, hidden)

    @classmethod
    def inside(cls, in_width: float, out_width: float, expansion: float) -> float:
        return expansion * in_width * (2 * in_width + out_width) / (in_width + out_width)

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(x)
        return self.act(x), self.act_second(x)

    def branch_sites(self) -> list[Site]:
        return [
            Site("branch", self.act, self.first, name="branch1"),
            Site("branch", self.act_second, self.first, name="branch2"),
        ]

    def joined_site(self) -> Site:
        return Site("product", self.join, factors=(self.first, self.first), name="join")


ARCHITECTURES = {"starnet": StarBlock, "starnet_sum": SumBlock}


def _variant(base: type[StarBlock], about: str, **settings) -> type[StarBlock]:
    if "activation" in settings:
        settings["defaults"] = replace(base.defaults, activation=settings.pop("activation"))
    return type(base.__name__, (base,), {"__doc__": f"As `{base.__name__}`, {about}.", **settings})


STAGES = (1, 2, 3, 4)

ABLATIONS = {
    **{
        f"starnet_sum{''.join(map(str, summed))}": _variant(
            MixedBlock, f"namely in the stages {', '.join(map(str, summed))}", summed=summed
        )
        for count in (1, 2, 3)
        for summed in combinations(STAGES, count)
    },
    "starnet_noact": _variant(StarBlock, "without activation", activation=nn.Identity),
    "starnet_actboth": _variant(StarBlock, "ReLU6 on both branches", activated=("first", "second")),
    "starnet_actproduct": _variant(StarBlock, "ReLU6 after the product instead", activated=("product",)),
    **{
        f"starnet_{name}": _variant(StarBlock, f"{kind.__name__} in place of ReLU6", activation=kind)
        for name, kind in (
            ("relu", nn.ReLU),
            ("gelu", nn.GELU),
            ("leakyrelu", nn.LeakyReLU),
            ("hardswish", nn.Hardswish),
        )
    },
    "starnet_gate": GateBlock,
    "starnet_gatepw": GateProjectBlock,
    "starnet_shared": SharedBlock,
    "starnet_square": _variant(SharedBlock, "ReLU6 on both", activated=("first", "second")),
}
"""The paper's variants of the block, by name."""

# base width, blocks of the four stages, expansion (table 5, and table 13 for s050 to s150)
SIZES = {
    "s050": (16, (1, 1, 3, 1), 3),
    "s100": (20, (1, 2, 4, 1), 4),
    "s150": (24, (1, 2, 4, 2), 3),
    "s1": (24, (2, 2, 8, 3), 4),
    "s2": (32, (1, 2, 6, 2), 4),
    "s3": (32, (2, 2, 8, 4), 4),
    "s4": (32, (3, 3, 12, 5), 4),
}


def published(block: type[StarBlock], size: str, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out a StarNet; for small images the first down-sampler does not stride.

    Parameters
    ----------
    block : type of StarBlock
        The block, or what chooses it by stage.
    size : str
        A key of ``SIZES``.
    """
    base, depths, expansion = SIZES[size]
    stem = conv_norm_act(in_channels, 32, 3, stride=2, activation=nn.ReLU6, bias=True)
    stages: list[list[nn.Module]] = []
    before = 32
    for stage, (depth, chosen) in enumerate(zip(depths, block.by_stage(len(depths)), strict=True)):
        width = base * 2**stage
        hidden = round(chosen.inside(width, width, expansion))
        down = conv_norm_act(before, width, 3, stride=1 if small and stage == 0 else 2, bias=True)
        blocks = [chosen(width, width, stride=1, hidden=hidden, make=make) for _ in range(depth)]
        stages.append([down, *blocks])
        before = width
    return Layout(stem, stages, before, neck=nn.BatchNorm2d(before), initialise=_initialise)


def _initialise(module: nn.Module) -> None:
    """Initialise as the authors' code does in effect: linear layers truncated normal 0.02, convolutions as in torch."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


PUBLISHED = {
    f"{name}_{size}": partial(published, block, size)
    for name, block in (ARCHITECTURES | ABLATIONS).items()
    for size in SIZES
}
