"""NoDepth bottlenecks (named in Hollard et al. 2025, arXiv 2507.15798; the public text does not define the block).

The blocks here are readings, each built from what the abstract and the author's public code suggest. None is a
replication of the block, and tables must call them readings. No network of the paper is known either: the published
networks here put the readings into ConvNeXt's frame.

A   "no depth" is no depthwise convolution in the expanded space: it moves to the narrow stream.
B   no depthwise convolution at all: a dense 3x3 in a reduced space, with the shortcut on the wide side.
B'  no depthwise convolution at all: pointwise layers only, and space is mixed where the network strides.
C   no depth inside the block: MobileNetV1's pair of layers with a shortcut and a layer norm.
"""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import LayerNorm2d
from lowparam.models.make import Defaults
from lowparam.models.skeletons.convnext import convnext_frame

__all__ = ["ARCHITECTURES", "PUBLISHED", "NoDepthA", "NoDepthB", "NoDepthBPrime", "NoDepthC"]


DEFAULTS = Defaults(norm=LayerNorm2d, activation=nn.GELU, bias=True)
"""What all readings are made of."""


class NoDepthA(Block):
    """Reading A: DW 3x3 on the narrow stream -> LN -> PW to the hidden width, GELU -> PW, linear.

    Against ConvNeXt: kernel 3 instead of 7 and no layer scale.
    """

    defaults = DEFAULTS
    expansion = 4.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.depthwise = make.spatial(in_channels, 3, stride)
        self.norm = make.norm(in_channels)
        self.expand = make.pointwise(in_channels, hidden)
        self.act = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = make.pointwise(hidden, out_channels)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        x = self.act(self.expand(self.norm(self.depthwise(x))))
        return self.scale(self.project(self.gate(x)))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise),
            Site("expansion", self.act, self.expand),
            Site("projection", self.scale, self.project, scale=getattr(self.scale, "gamma", None)),
        ]


class NoDepthB(Block):
    """Reading B: LN -> PW to the waist, GELU -> dense 3x3, GELU -> PW, linear; shortcut on the wide side."""

    defaults = DEFAULTS
    expansion = 1 / 4

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.norm = make.norm(in_channels)
        self.reduce = make.pointwise(in_channels, hidden)
        self.act_reduced = make.activation(hidden)
        self.spatial = make.spatial(hidden, 3, stride, dense=True)
        self.act_spatial = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = make.pointwise(hidden, out_channels)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        x = self.act_reduced(self.reduce(self.norm(x)))
        return self.scale(self.project(self.gate(self.act_spatial(self.spatial(x)))))

    def inner_sites(self) -> list[Site]:
        return [
            Site("reduction", self.act_reduced, self.reduce),
            Site("spatial", self.act_spatial),
            Site("projection", self.scale, self.project, scale=getattr(self.scale, "gamma", None)),
        ]


class NoDepthBPrime(Block):
    """Reading B': LN -> PW to the hidden width, GELU -> PW, linear.

    A block that strides begins with a down-sampler, LN and a dense 3x3 of stride 2 to the new width, and has its
    shortcut after it: nothing else in the network mixes space.
    """

    defaults = DEFAULTS
    expansion = 4.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        width = in_channels if stride == 1 else out_channels
        self.down = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(
                make.norm(in_channels),
                make.striding(lambda stride: nn.Conv2d(in_channels, out_channels, 3, stride, 1), out_channels, stride),
            )
        )
        self.add_after_down = make.join(out_channels) if stride > 1 else None
        self.norm = make.norm(width)
        self.expand = make.pointwise(width, hidden)
        self.act = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = make.pointwise(hidden, out_channels)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.down(x)
        y = self.scale(self.project(self.gate(self.act(self.expand(self.norm(x))))))
        return y if self.add_after_down is None else self.add_after_down(x, y)

    def inner_sites(self) -> list[Site]:
        sites = [
            Site("expansion", self.act, self.expand),
            Site("projection", self.scale, self.project, scale=getattr(self.scale, "gamma", None)),
        ]
        return sites if self.stride == 1 else [Site("spatial", self.down), *sites]


class NoDepthC(Block):
    """Reading C: DW 3x3 -> LN -> PW, GELU; shortcut around the pair."""

    defaults = DEFAULTS

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, make=make)
        make = self.bound(make)
        self.depthwise = make.spatial(in_channels, 3, stride)
        self.norm = make.norm(in_channels)
        self.gate = make.gate(in_channels)
        self.pointwise = make.pointwise(in_channels, out_channels)
        self.act = make.activation(out_channels)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        return self.scale(self.act(self.pointwise(self.gate(self.norm(self.depthwise(x))))))

    def inner_sites(self) -> list[Site]:
        return [Site("spatial", self.depthwise), Site("projection", self.pointwise, self.pointwise)]


ARCHITECTURES = {
    "nodepth_a": NoDepthA,
    "nodepth_b": NoDepthB,
    "nodepth_bp": NoDepthBPrime,
    "nodepth_c": NoDepthC,
}

PUBLISHED = {
    f"{name}_w{width}": partial(convnext_frame, block, (width, 2 * width, 4 * width, 8 * width), (2, 2, 6, 2))
    for name, block in ARCHITECTURES.items()
    for width in (16, 24, 32, 40)
}
