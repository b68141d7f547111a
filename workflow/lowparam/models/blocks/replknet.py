"""RepLKNet's pair of blocks with large kernels (Ding et al. 2022, arXiv 2203.06717, section 4; the authors' code)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Layout, Site, foldable
from lowparam.models.branches import HiddenBranch
from lowparam.models.large_kernel import LargeKernelBlock, ReparamConv, sized
from lowparam.models.layers import ConvNormAct, Sum, conv_norm_act
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "PlainBlock", "RepLKBlock"]


class RepLKBlock(LargeKernelBlock):
    """x + (BN -> PW, BN, ReLU -> DW k x k, BN + DW 5x5, BN, ReLU -> PW, BN), then x + (BN -> PW, BN, GELU -> PW, BN).

    The 5x5 becomes a part of the large kernel after training. Kernels are 13, 9 and 7 in the stages of the skeleton:
    the paper's 31 to 13 exceed its maps. A block that strides or widens begins with a PW and a DW 3x3, each with BN and
    ReLU, as the stages of the published network do. The shortcuts are inside, so a probe at S1 or S2 acts on the
    output.
    """

    expansion = 4.0
    shortcut = False
    small: Sequence[tuple[int, int]] = ((5, 1),)

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        width, make = out_channels, self.bound(make)
        keeps = stride == 1 and in_channels == width
        self.embed = nn.Identity() if keeps else _transition(make, in_channels, width, stride)
        self.norm = make.norm(width)
        self.expand = ConvNormAct(make.pointwise(width, width), make.norm(width), make.activation(width))
        if self.small:
            self.spatial: nn.Module = ReparamConv(make, width, self.kernel_size, self.small)
        else:
            self.spatial = ConvNormAct(make.spatial(width, self.kernel_size), make.norm(width))
        self.act = make.activation(width)
        self.project = ConvNormAct(make.pointwise(width, width), make.norm(width))
        self.sum_spatial, self.sum_hidden = Sum(), Sum()
        self.mlp = HiddenBranch(make.bind(replace(self.defaults, activation=nn.GELU)), width, hidden, inside=True)

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = self.sum_spatial(x, self.project(self.act(self.spatial(self.expand(self.norm(x))))))
        return self.sum_hidden(x, self.mlp(x))

    def inner_sites(self) -> list[Site]:
        """Return the sites; what the first half writes is a projection like that of the hidden branch."""
        return [
            Site("expansion", self.expand, self.expand.conv, foldable(self.expand.norm), name="read"),
            Site("spatial", self.act),
            Site("projection", self.project, self.project.conv, foldable(self.project.norm), name="write"),
            *self.mlp.sites(),
        ]


class PlainBlock(RepLKBlock):
    """As `replknet` without the 5x5 next to the large kernel."""

    small = ()


def _transition(make: Make, before: int, after: int, stride: int) -> nn.Module:
    return nn.Sequential(
        ConvNormAct(make.pointwise(before, after), make.norm(after), make.activation(after)),
        ConvNormAct(make.spatial(after, 3, stride), make.norm(after), make.activation(after)),
    )


ARCHITECTURES = {"replknet": RepLKBlock, "replknet_plain": PlainBlock}


def published(
    widths: tuple[int, ...],
    depths: tuple[int, ...],
    kernels: tuple[int, ...],
    *,
    in_channels: int,
    small: bool,
    make: Make,
) -> Layout:
    """Lay out RepLKNet: 3x3 of stride 2, DW 3x3, PW, DW 3x3 of stride 2, then PW and DW 3x3 of stride 2 between stages.

    Counts are those of training. For small images the second DW 3x3 of the stem does not stride; kernels stay, and
    their outer taps read only padding there.

    Parameters
    ----------
    widths, depths, kernels : tuple of int
        Channels, number of pairs and large kernel of every stage.
    """
    own, first = make.bind(RepLKBlock.defaults), widths[0]
    stem = nn.Sequential(
        conv_norm_act(in_channels, first, 3, stride=2, activation=nn.ReLU),
        ConvNormAct(nn.Conv2d(first, first, 3, 1, 1, groups=first, bias=False), nn.BatchNorm2d(first), nn.ReLU()),
        _transition(own, first, first, 1 if small else 2),
    )
    stages: list[list[nn.Module]] = []
    for width, depth, kernel in zip(widths, depths, kernels, strict=True):
        block = sized(RepLKBlock, kernel)
        pairs = [block(width, width, stride=1, hidden=4 * width, make=make) for _ in range(depth)]
        stages.append([*([_transition(own, widths[len(stages) - 1], width, 2)] if stages else []), *pairs])
    return Layout(stem, stages, widths[-1], neck=nn.BatchNorm2d(widths[-1]))


PUBLISHED = {"replknet_31b": partial(published, (128, 256, 512, 1024), (2, 2, 18, 2), (31, 29, 27, 13))}
