"""NoDepth bottlenecks (named in Hollard et al. 2025, arXiv 2507.15798; the public text does not define the block).

What stands here are readings, each built from what the abstract and the author's public code suggest. None is a
replication of the block; tables must call them readings. No network of the paper is known either: the networks below
put the readings into ConvNeXt's frame.

A   "no depth" is no depthwise convolution in the expanded space: it moves to the narrow stream.
B   no depthwise convolution at all: a dense 3x3 in a reduced space, with the shortcut on the wide side.
B'  no depthwise convolution at all: pointwise layers only, and space is mixed where the network strides.
C   no depth inside the block: MobileNetV1's pair of layers with a shortcut and a layer norm.
"""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import LayerNorm2d
from lowparam.models.skeletons.convnext import convnext_frame

__all__ = ["ARCHITECTURES", "PUBLISHED", "NoDepthA", "NoDepthB", "NoDepthBPrime", "NoDepthC"]


class NoDepthA(Block):
    """Reading A: DW 3x3 on the narrow stream -> LN -> PW to the hidden width, GELU -> PW, linear.

    Against ConvNeXt: kernel 3 instead of 7 and no layer scale.
    """

    expansion = 4.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, activation=activation)
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels)
        self.norm = LayerNorm2d(in_channels)
        self.expand = nn.Conv2d(in_channels, hidden, 1)
        self.act = (activation or nn.GELU)()
        self.project = nn.Conv2d(hidden, out_channels, 1)

    def branch(self, x: Tensor) -> Tensor:
        return self.project(self.act(self.expand(self.norm(self.depthwise(x)))))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise),
            Site("expansion", self.act, self.expand),
            Site("projection", self.project, self.project),
        ]


class NoDepthB(Block):
    """Reading B: LN -> PW to the waist, GELU -> dense 3x3, GELU -> PW, linear; shortcut on the wide side."""

    expansion = 1 / 4

    def __init__(self, in_channels, out_channels, *, stride, hidden, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, activation=activation)
        activation = activation or nn.GELU
        self.norm = LayerNorm2d(in_channels)
        self.reduce = nn.Conv2d(in_channels, hidden, 1)
        self.act_reduced = activation()
        self.spatial = nn.Conv2d(hidden, hidden, 3, stride, 1)
        self.act_spatial = activation()
        self.project = nn.Conv2d(hidden, out_channels, 1)

    def branch(self, x: Tensor) -> Tensor:
        x = self.act_reduced(self.reduce(self.norm(x)))
        return self.project(self.act_spatial(self.spatial(x)))

    def inner_sites(self) -> list[Site]:
        return [
            Site("reduction", self.act_reduced, self.reduce),
            Site("spatial", self.act_spatial),
            Site("projection", self.project, self.project),
        ]


class NoDepthBPrime(Block):
    """Reading B': LN -> PW to the hidden width, GELU -> PW, linear.

    A block that strides begins with a down-sampler, LN and a dense 3x3 of stride 2 to the new width, and has its
    shortcut after it: nothing else in the network mixes space.
    """

    expansion = 4.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, activation=activation)
        width = in_channels if stride == 1 else out_channels
        self.down = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(LayerNorm2d(in_channels), nn.Conv2d(in_channels, out_channels, 3, stride, 1))
        )
        self.norm = LayerNorm2d(width)
        self.expand = nn.Conv2d(width, hidden, 1)
        self.act = (activation or nn.GELU)()
        self.project = nn.Conv2d(hidden, out_channels, 1)

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.down(x)
        y = self.project(self.act(self.expand(self.norm(x))))
        return y if self.stride == 1 else x + y

    def inner_sites(self) -> list[Site]:
        sites = [Site("expansion", self.act, self.expand), Site("projection", self.project, self.project)]
        return sites if self.stride == 1 else [Site("spatial", self.down), *sites]


class NoDepthC(Block):
    """Reading C: DW 3x3 -> LN -> PW, GELU; shortcut around the pair."""

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, activation=activation)
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels)
        self.norm = LayerNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.act = (activation or nn.GELU)()

    def branch(self, x: Tensor) -> Tensor:
        return self.act(self.pointwise(self.norm(self.depthwise(x))))

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
