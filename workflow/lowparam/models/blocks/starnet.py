"""StarNet's block (Ma et al. 2024, "Rewrite the Stars", arXiv 2403.19967, section 4.2 and appendix A.1).

``starnet_sum`` replaces the product of the two branches by their sum, and nothing else.
"""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Activation, Block, Layout, Site
from lowparam.models.layers import ConvNormAct, Product, Sum

__all__ = ["ARCHITECTURES", "PUBLISHED", "StarBlock", "SumBlock"]


class StarBlock(Block):
    """DW 7x7, BN -> two PWs to the hidden width -> ReLU6(first) * second -> PW, BN -> DW 7x7; narrow shortcut.

    All convolutions have biases.
    """

    expansion = 4.0
    combine: type[nn.Module] = Product

    def __init__(self, in_channels, out_channels, *, stride, hidden, activation=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, activation=activation)
        self.depthwise_in = ConvNormAct(in_channels, in_channels, 7, stride=stride, groups=in_channels, bias=True)
        self.first = nn.Conv2d(in_channels, hidden, 1)
        self.second = nn.Conv2d(in_channels, hidden, 1)
        self.act = (activation or nn.ReLU6)()
        self.join = self.combine()
        self.project = ConvNormAct(hidden, out_channels, bias=True)
        self.depthwise_out = nn.Conv2d(out_channels, out_channels, 7, 1, 3, groups=out_channels)

    def branch(self, x: Tensor) -> Tensor:
        x = self.depthwise_in(x)
        x = self.join(self.act(self.first(x)), self.second(x))
        return self.depthwise_out(self.project(x))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise_in, name="spatial_in"),
            Site("branch", self.act, self.first, name="branch1"),
            Site("branch", self.second, self.second, name="branch2"),
            Site("product" if self.combine is Product else "sum", self.join),
            Site("projection", self.project, self.project.conv, self.project.norm),
            Site("spatial", self.depthwise_out, name="spatial_out"),
        ]


class SumBlock(StarBlock):
    """As `StarBlock` with ReLU6(first) + second."""

    combine = Sum


ARCHITECTURES = {"starnet": StarBlock, "starnet_sum": SumBlock}

# base width, blocks of the four stages, expansion (table 5, and table 13 for s050 to s150)
VARIANTS = {
    "s050": (16, (1, 1, 3, 1), 3),
    "s100": (20, (1, 2, 4, 1), 4),
    "s150": (24, (1, 2, 4, 2), 3),
    "s1": (24, (2, 2, 8, 3), 4),
    "s2": (32, (1, 2, 6, 2), 4),
    "s3": (32, (2, 2, 8, 4), 4),
    "s4": (32, (3, 3, 12, 5), 4),
}


def published(
    block: type[StarBlock], variant: str, *, in_channels: int, small: bool, activation: Activation | None
) -> Layout:
    """A variant of StarNet; for small images the first down-sampler does not stride."""
    base, depths, expansion = VARIANTS[variant]
    stem = ConvNormAct(in_channels, 32, 3, stride=2, activation=nn.ReLU6, bias=True)
    stages: list[list[nn.Module]] = []
    before = 32
    for stage, depth in enumerate(depths):
        width = base * 2**stage
        down = ConvNormAct(before, width, 3, stride=1 if small and stage == 0 else 2, bias=True)
        blocks = [block(width, width, stride=1, hidden=expansion * width, activation=activation) for _ in range(depth)]
        stages.append([down, *blocks])
        before = width
    return Layout(stem, stages, before, neck=nn.BatchNorm2d(before), initialise=_initialise)


def _initialise(module: nn.Module) -> None:
    """As the authors' code does in effect: linear layers truncated normal 0.02, convolutions as torch has them."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


PUBLISHED = {
    f"{name}_{variant}": partial(published, block, variant)
    for name, block in ARCHITECTURES.items()
    for variant in VARIANTS
}
