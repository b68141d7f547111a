"""One block with its geometry as settings, so that any of the others can be changed in one factor.

A `Point` is a place in the space of blocks. ``ablation_<start>`` is the point at which an architecture is, and
computes what that architecture computes; ``ablation_<start>_<factor>`` differs from it in one factor:

``dense``, ``depthwise``, ``nospatial``         the spatial operator
``stream``, ``hidden``, ``ends``                its place: input, hidden space, both ends
``k3``, ``k5``, ``k7``                          its kernel
``e2``, ``e4``, ``e6``, ``r2``, ``r4``, ``r6``  expansion or reduction of the hidden space
``narrow``, ``wide``                            the shortcut: between the narrow or the wide ends

Norm, activation, gate, shortcut and layer scale are parts, which any block takes: ``mobilenetv2+layernorm``. The one
that misses a budget is ``ablation_nodepth_b_ends``: its nearest count to 25k at 8 pixels is 25,569.

A change that a block cannot have (a wide shortcut where nothing lies between the wide maps) has no name.
``ablation_mobilenetv2_e2`` is written in params.yaml like any other architecture.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site, foldable
from lowparam.models.layers import ConvNormAct, LayerNorm2d, LayerScale, SqueezeExcite
from lowparam.models.make import Defaults, Make

__all__ = ["ABLATIONS", "POINTS", "DesignBlock", "Point", "block_at"]

NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "layer": LayerNorm2d, "none": nn.Identity}
ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "gelu": nn.GELU, "hardswish": nn.Hardswish, "none": nn.Identity}

PREFIX = "ablation"
STARTS = (
    "mobilenetv1",
    "mobilenetv2",
    "mobilenetv3",
    "mobilenext",
    "convnext",
    "nodepth_a",
    "nodepth_b",
    "nodepth_bp",
    "nodepth_c",
)
"""The architectures that lie in the space; literal, so that names are read without importing this file."""

PARTS = ("down", "norm", "spatial_in", "inner", "spatial_hidden", "excite", "outer", "spatial_out", "scale")


@dataclass(frozen=True)
class Point:
    """A place in the space of bottlenecks.

    Parameters
    ----------
    spatial : {"depthwise", "dense", "none"}
        The operator that mixes positions. With ``none`` only a down-sampler in striding blocks does.
    place : {"stream", "hidden", "ends"}
        On the input, between the two pointwise layers, or on input and output.
    kernel : int
        Of the spatial operator; odd.
    ratio : float or None
        Hidden width over width: above 1 an expansion, below 1 a reduction. None: one pointwise layer and no inside.
    norm : {"batch", "layer", "none"}
        The normalisation.
    norms : {"all", "spatial", "input"}
        After every convolution, after the spatial one only, or once before everything.
    activation : str
        A key of ``ACTIVATIONS``.
    active : tuple of {"spatial", "inner", "output"}
        What an activation follows: the spatial operator (not one on the output), the first pointwise layer, the last.
    shortcut : {"none", "narrow", "wide"}
        Between the block's ends or around the hidden spatial operator, whichever is the narrow or the wide map.
    excite : bool
        Squeeze-and-excitation (a quarter of the channels) on the widest place after the spatial operator.
    bias : bool
        Biases even where a norm follows; where none follows there is always one.
    scale : bool
        Layer scale on the branch where the block's ends are joined.
    """

    spatial: Literal["depthwise", "dense", "none"] = "depthwise"
    place: Literal["stream", "hidden", "ends"] = "stream"
    kernel: int = 3
    ratio: float | None = None
    norm: Literal["batch", "layer", "none"] = "batch"
    norms: Literal["all", "spatial", "input"] = "all"
    activation: str = "relu"
    active: tuple[str, ...] = ("spatial", "output")
    shortcut: Literal["none", "narrow", "wide"] = "none"
    excite: bool = False
    bias: bool = False
    scale: bool = False

    @property
    def joins(self) -> Literal["none", "ends", "inside"]:
        """What the shortcut joins: the ends of the block are narrow where the hidden space is wide."""
        if self.shortcut == "none":
            return "none"
        ends = "wide" if self.ratio is not None and self.ratio < 1 else "narrow"
        return "ends" if self.shortcut == ends else "inside"

    @property
    def possible(self) -> bool:
        """Whether there is such a block."""
        if self.ratio is None and (self.place != "stream" or self.shortcut == "wide"):
            return False
        inside = self.spatial != "none" and self.place == "hidden"
        return (self.joins != "inside" or inside) and not (self.scale and self.joins != "ends")


class DesignBlock(Block):
    """[down-sample] -> [norm] -> [spatial] -> [PW] -> [spatial] -> [SE] -> PW -> [spatial] -> [scale]; shortcut.

    Which of them exist, and what follows them, is the class's ``point``. With the spatial operator on both ends a
    widening block has none on its input, and none on its output unless it strides there, as MobileNeXt's.
    """

    point: ClassVar[Point]

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        p, make = self.point, self.bound(make)
        for part in PARTS:
            setattr(self, part, nn.Identity())
        widens = in_channels != out_channels

        self.add_after_down = self.add_inside = None
        if p.spatial == "none" and stride > 1:
            before = in_channels

            def convolution(stride: int) -> nn.Module:
                return nn.Conv2d(before, out_channels, 3, stride, 1)

            self.down = nn.Sequential(make.norm(before), make.striding(convolution, out_channels, stride))
            self.add_after_down = make.join(out_channels) if p.joins == "ends" else None
            in_channels = out_channels
        if p.norms == "input" or (p.norms == "spatial" and p.spatial == "none"):
            self.norm = make.norm(in_channels)
        if p.spatial != "none" and (p.place == "stream" or (p.place == "ends" and not widens)):
            self.spatial_in = self._spatial(
                make, in_channels, stride if p.place == "stream" else 1, active="spatial" in p.active
            )
        if p.ratio is not None:
            self.inner = self._pointwise(make, in_channels, hidden, active="inner" in p.active)
        else:
            hidden = in_channels
        if p.spatial != "none" and p.place == "hidden":
            self.spatial_hidden = self._spatial(make, hidden, stride, active="spatial" in p.active)
            self.add_inside = make.join(hidden) if p.joins == "inside" and stride == 1 else None
        self.excite = make.gate(hidden)
        self.outer = self._pointwise(make, hidden, out_channels, active="output" in p.active)
        if p.spatial != "none" and p.place == "ends" and not (widens and stride == 1):
            self.spatial_out = self._spatial(make, out_channels, stride, active=False)
        if self.residual:
            self.scale = make.scale(out_channels)

    def _spatial(self, make: Make, channels: int, stride: int, *, active: bool) -> ConvNormAct:
        normed = self.point.norms in ("all", "spatial")
        bias = None if normed else True
        dense = self.point.spatial == "dense"
        conv = make.spatial(channels, self.point.kernel, stride, dense=dense, bias=bias)
        return self._unit(make, conv, channels, normed=normed, active=active)

    def _pointwise(self, make: Make, before: int, after: int, *, active: bool) -> ConvNormAct:
        normed = self.point.norms == "all"
        conv = make.pointwise(before, after, bias=None if normed else True)
        return self._unit(make, conv, after, normed=normed, active=active)

    def _unit(self, make: Make, conv: nn.Module, channels: int, *, normed: bool, active: bool) -> ConvNormAct:
        """Return a convolution with the norm and the activation that the point has after it."""
        norm = make.norm(channels) if normed else nn.Identity()
        return ConvNormAct(conv, norm, make.activation(channels) if active else None)

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        p = cls.point
        base = out_width if p.spatial == "none" else max(in_width, out_width) if p.place == "ends" else in_width
        return (p.ratio or 1.0) * base

    def branch(self, x: Tensor) -> Tensor:
        x = self.down(x)
        h = self.inner(self.spatial_in(self.norm(x)))
        inside = self.spatial_hidden(h)
        h = inside if self.add_inside is None else self.add_inside(h, inside)
        y = self.scale(self.spatial_out(self.outer(self.excite(h))))
        return y if self.add_after_down is None else self.add_after_down(x, y)

    def inner_sites(self) -> list[Site]:
        widening = self.point.ratio is None or self.point.ratio >= 1
        sites = [
            Site("spatial", self.down, name="down"),
            Site("spatial", self.spatial_in, name="spatial_in"),
            self._pointwise_site("expansion" if widening else "reduction", self.inner, self.inner),
            Site("spatial", self.spatial_hidden),
            self._pointwise_site("projection" if widening else "expansion", self.outer, self._end_of(self.outer)),
            Site("spatial", self.spatial_out, name="spatial_out"),
        ]
        return [site for site in sites if not isinstance(site.output, nn.Identity)]

    def _pointwise_site(self, kind: str, unit: nn.Module, output: nn.Module) -> Site:
        """Return the site of a pointwise layer, read at `output`."""
        return Site(kind, output, getattr(unit, "conv", None), foldable(getattr(unit, "norm", None)))

    def _end_of(self, unit: ConvNormAct) -> nn.Module:
        """Return where the last pointwise layer is read: at its linear map, before the activation."""
        return unit.conv if isinstance(unit.norm, nn.Identity) else unit.norm


POINTS = {
    "mobilenetv1": Point(),
    "mobilenetv2": Point(place="hidden", ratio=6.0, activation="relu6", active=("inner", "spatial"), shortcut="narrow"),
    "mobilenetv3": Point(
        place="hidden",
        kernel=5,
        ratio=4.0,
        activation="hardswish",
        active=("inner", "spatial"),
        shortcut="narrow",
        excite=True,
    ),
    "mobilenext": Point(place="ends", ratio=1 / 6, activation="relu6", shortcut="wide"),
    "convnext": Point(
        kernel=7,
        ratio=4.0,
        norm="layer",
        norms="spatial",
        activation="gelu",
        active=("inner",),
        shortcut="narrow",
        bias=True,
        scale=True,
    ),
    "nodepth_a": Point(
        ratio=4.0, norm="layer", norms="spatial", activation="gelu", active=("inner",), shortcut="narrow", bias=True
    ),
    "nodepth_b": Point(
        spatial="dense",
        place="hidden",
        ratio=1 / 4,
        norm="layer",
        norms="input",
        activation="gelu",
        active=("inner", "spatial"),
        shortcut="wide",
        bias=True,
    ),
    "nodepth_bp": Point(
        spatial="none",
        ratio=4.0,
        norm="layer",
        norms="input",
        activation="gelu",
        active=("inner",),
        shortcut="narrow",
        bias=True,
    ),
    "nodepth_c": Point(
        norm="layer", norms="spatial", activation="gelu", active=("output",), shortcut="narrow", bias=True
    ),
}
"""Where the other architectures lie."""

FACTORS: dict[str, dict] = {
    "dense": {"spatial": "dense"},
    "depthwise": {"spatial": "depthwise"},
    "nospatial": {"spatial": "none"},
    "stream": {"place": "stream"},
    "hidden": {"place": "hidden"},
    "ends": {"place": "ends"},
    "k3": {"kernel": 3},
    "k5": {"kernel": 5},
    "k7": {"kernel": 7},
    **{f"e{ratio}": {"ratio": float(ratio)} for ratio in (2, 4, 6)},
    **{f"r{ratio}": {"ratio": 1 / ratio} for ratio in (2, 4, 6)},
    "narrow": {"shortcut": "narrow"},
    "wide": {"shortcut": "wide"},
}


def _points() -> dict[str, Point]:
    points = {f"ablation_{start}": point for start, point in POINTS.items()}
    for start, point in POINTS.items():
        for factor, change in FACTORS.items():
            changed = replace(point, **change)
            if point.ratio is not None and changed.ratio is not None and (point.ratio > 1) != (changed.ratio > 1):
                # The shortcut stays at the ends of the block, which are now the wide or the narrow side.
                swapped = {"narrow": "wide", "wide": "narrow"}
                changed = replace(changed, shortcut=swapped.get(changed.shortcut, "none"))
            has_ratio = (point.ratio is None) == (changed.ratio is None)
            seen = point.spatial == "none" and change.keys() & {"place", "kernel"}  # nothing there to be moved
            if changed != point and changed.possible and has_ratio and not seen:
                points[f"ablation_{start}_{factor}"] = changed
    return points


def block_at(point: Point) -> type[DesignBlock]:
    """Return the block at a point."""
    defaults = Defaults(
        norm=NORMS[point.norm],
        activation=ACTIVATIONS[point.activation],
        gate=SqueezeExcite if point.excite else None,
        scale=LayerScale if point.scale else None,
        bias=point.bias or point.norm == "none",
    )
    settings = {"__doc__": str(point), "point": point, "shortcut": point.joins == "ends", "defaults": defaults}
    return type("DesignBlock", (DesignBlock,), settings)


ABLATIONS = {name: block_at(point) for name, point in _points().items()}
