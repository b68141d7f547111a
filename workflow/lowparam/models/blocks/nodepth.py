"""NoDepth bottlenecks (named in Hollard et al. 2025, arXiv 2507.15798; the public text does not define the block).

What stands here are readings, each built from what the abstract and the author's public code suggest.
Reading A takes "no depth" as "no depthwise convolution in the expanded space".
"""

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import LayerNorm2d

__all__ = ["ARCHITECTURES", "NoDepthA"]


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


ARCHITECTURES = {"nodepth_a": NoDepthA}
