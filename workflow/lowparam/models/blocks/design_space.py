"""One block with every factor as a setting, so that any of the others can be changed in one factor.

A `Point` says where a block lies in the space. ``ablation_<start>`` is the point at which an architecture lies, and
computes what that architecture computes; ``ablation_<start>_<factor>`` differs from it in one factor:

``batchnorm``, ``layernorm``, ``nonorm``                  the normalisation
``relu``, ``relu6``, ``gelu``, ``hardswish``, ``linear``  the activation (``linear``: none)
``dense``, ``depthwise``, ``nospatial``                   the spatial operator
``stream``, ``hidden``, ``ends``                          its place: input, hidden space, both ends
``k3``, ``k5``, ``k7``                                    its kernel
``e2``, ``e4``, ``e6``, ``r2``, ``r4``, ``r6``            expansion or reduction of the hidden space
``noshortcut``, ``narrow``, ``wide``                      the shortcut: none, or between the narrow or the wide ends
``se``, ``nose``                                          squeeze-and-excitation
``scale``, ``noscale``                                    layer scale

The one that misses a budget is ``ablation_nodepth_b_ends``: its nearest count to 25k at 8 pixels is 25,569.

A change that a block cannot have (a wide shortcut where nothing lies between the wide maps) has no name.
``ablation_mobilenetv2_layernorm`` is written in params.yaml like any other architecture.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import LayerNorm2d, LayerScale, SqueezeExcite

__all__ = ["ABLATIONS", "POINTS", "DesignBlock", "Point"]

NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "layer": LayerNorm2d}
ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "gelu": nn.GELU, "hardswish": nn.Hardswish, "none": nn.Identity}

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

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, activation=activation)
        p = self.point
        self.make_activation = activation or ACTIVATIONS[p.activation]
        for part in PARTS:
            setattr(self, part, nn.Identity())
        widens = in_channels != out_channels

        if p.spatial == "none" and stride > 1:
            norm = [NORMS[p.norm](in_channels)] if p.norm in NORMS else []
            self.down = nn.Sequential(*norm, nn.Conv2d(in_channels, out_channels, 3, stride, 1))
            in_channels = out_channels
        if p.norm in NORMS and (p.norms == "input" or (p.norms == "spatial" and p.spatial == "none")):
            self.norm = NORMS[p.norm](in_channels)
        if p.spatial != "none" and (p.place == "stream" or (p.place == "ends" and not widens)):
            self.spatial_in = self._spatial(in_channels, stride if p.place == "stream" else 1, "spatial" in p.active)
        if p.ratio is not None:
            self.inner = self._unit(in_channels, hidden, active="inner" in p.active)
        else:
            hidden = in_channels
        if p.spatial != "none" and p.place == "hidden":
            self.spatial_hidden = self._spatial(hidden, stride, "spatial" in p.active)
        if p.excite:
            self.excite = SqueezeExcite(hidden, max(1, round(hidden / 4)))
        self.outer = self._unit(hidden, out_channels, active="output" in p.active)
        if p.spatial != "none" and p.place == "ends" and not (widens and stride == 1):
            self.spatial_out = self._spatial(out_channels, stride, False)
        if p.scale and self.residual:
            self.scale = LayerScale(out_channels)

    def _spatial(self, channels: int, stride: int, active: bool) -> nn.Sequential:
        groups = channels if self.point.spatial == "depthwise" else 1
        return self._unit(channels, channels, self.point.kernel, stride, groups, active=active, spatial=True)

    def _unit(self, before, after, kernel=1, stride=1, groups=1, *, active, spatial=False) -> nn.Sequential:
        """A convolution, and the norm and the activation that the point has after it."""
        p = self.point
        normed = p.norm in NORMS and (p.norms == "all" or (p.norms == "spatial" and spatial))
        unit = nn.Sequential()
        unit.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=p.bias or not normed)
        if normed:
            unit.norm = NORMS[p.norm](after)
        if active:
            unit.act = self.make_activation()
        return unit

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        p = cls.point
        base = out_width if p.spatial == "none" else max(in_width, out_width) if p.place == "ends" else in_width
        return (p.ratio or 1.0) * base

    def branch(self, x: Tensor) -> Tensor:
        x = self.down(x)
        h = self.inner(self.spatial_in(self.norm(x)))
        joined = self.point.joins == "inside" and self.stride == 1
        h = h + self.spatial_hidden(h) if joined else self.spatial_hidden(h)
        y = self.scale(self.spatial_out(self.outer(self.excite(h))))
        down_sampled = self.point.spatial == "none" and self.stride > 1
        return x + y if down_sampled and self.point.joins == "ends" else y

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
        norm = getattr(unit, "norm", None)
        foldable = norm if isinstance(norm, nn.BatchNorm2d) else None
        return Site(kind, output, getattr(unit, "conv", None), foldable)

    def _end_of(self, unit: nn.Sequential) -> nn.Module:
        """Of the last pointwise layer the linear map is read, before its activation."""
        return unit.norm if "norm" in unit._modules else unit.conv


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
    "batchnorm": {"norm": "batch"},
    "layernorm": {"norm": "layer"},
    "nonorm": {"norm": "none"},
    "relu": {"activation": "relu"},
    "relu6": {"activation": "relu6"},
    "gelu": {"activation": "gelu"},
    "hardswish": {"activation": "hardswish"},
    "linear": {"activation": "none"},
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
    "noshortcut": {"shortcut": "none", "scale": False},
    "narrow": {"shortcut": "narrow"},
    "wide": {"shortcut": "wide"},
    "se": {"excite": True},
    "nose": {"excite": False},
    "scale": {"scale": True},
    "noscale": {"scale": False},
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


ABLATIONS: dict[str, type[Block]] = {
    name: type(name, (DesignBlock,), {"__doc__": str(point), "point": point, "shortcut": point.joins == "ends"})
    for name, point in _points().items()
}
