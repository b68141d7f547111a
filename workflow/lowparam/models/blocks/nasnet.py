"""NASNet-A for small images, the network of a search (Zoph et al. 2018, arXiv 1707.07012, figure 4 and appendix A).

As in Cadene's pretrained-models.pytorch, with symmetric padding in place of TensorFlow's. A cell reads the outputs of
two cells before it, so that there is no block for the skeleton. The first cell reads the stem twice, as in TF-slim.
Scheduled drop path and the auxiliary head belong to a recipe and are not here.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowparam.models.blocks.base import Block, Layout, Site, foldable
from lowparam.models.make import Defaults, Make

__all__ = ["PUBLISHED", "Adjust", "Cell", "Normal", "Reduction", "Separable"]


class Separable(nn.Module):
    """ReLU, depthwise, pointwise, BN, and the same again; only the first depthwise layer strides.

    Parameters
    ----------
    channels, kernel, stride : int
        Of the depthwise layers.
    make : Make
        Makes the layers.
    """

    def __init__(self, channels: int, kernel: int, stride: int, make: Make) -> None:
        super().__init__()
        self.act, self.second_act = make.activation(channels), make.activation(channels)
        self.spatial, self.second_spatial = make.spatial(channels, kernel, stride), make.spatial(channels, kernel)
        self.pointwise, self.second_pointwise = (make.pointwise(channels, channels) for _ in range(2))
        self.norm, self.second_norm = make.norm(channels), make.norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.pointwise(self.spatial(self.act(x))))
        return self.second_norm(self.second_pointwise(self.second_spatial(self.second_act(x))))


class Adjust(nn.Module):
    """ReLU, pointwise, BN to the width of a cell; a map of twice the size is halved by two paths of half the width.

    One path reads each second position, the other those between them (the paper's factorised reduction).

    Parameters
    ----------
    before, after : int
        Channels of input and output.
    make : Make
        Makes the layers.
    halves : bool
        Whether the map has twice the size.
    """

    def __init__(self, before: int, after: int, make: Make, *, halves: bool = False) -> None:
        super().__init__()
        self.act, self.norm = make.activation(before), make.norm(after)
        widths = (after // 2, after - after // 2) if halves else (after,)
        self.paths = nn.ModuleList(make.pointwise(before, width) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(x)
        if len(self.paths) == 1:
            return self.norm(self.paths[0](x))
        between = functional.pad(x, (0, 1, 0, 1))[:, :, 1::2, 1::2]
        return self.norm(torch.cat((self.paths[0](x[:, :, ::2, ::2]), self.paths[1](between)), 1))


class Cell(Block):
    """A cell of two inputs: h, the output of the last cell, and p, that of the one before, at the same width.

    The output is a concatenation of sums, so each last pointwise layer writes to the stream and is read as a
    projection, though it is as wide as its input: the cell has no bottleneck.

    Parameters
    ----------
    before : int
        Channels of p.
    halves : bool
        Whether p has twice the size of h.
    """

    defaults = Defaults(norm=partial(nn.BatchNorm2d, eps=1e-3))
    shortcut = False
    parts = 6
    """Maps that the output concatenates."""
    separable: tuple[tuple[str, int], ...] = ()
    """Name and kernel of each separable convolution; the last letter of a name is what it reads."""

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None, before=None, halves=False) -> None:
        super().__init__(in_channels, out_channels, stride=stride, make=make)
        make, width = self.bound(make), out_channels // self.parts
        self.adjust_h = Adjust(in_channels, width, make)
        self.adjust_p = Adjust(before or in_channels, width, make, halves=halves)
        self.convs = nn.ModuleDict(
            {name: Separable(width, kernel, stride if name[-1] in "hp" else 1, make) for name, kernel in self.separable}
        )
        self.average = nn.AvgPool2d(3, stride, 1, count_include_pad=False)

    def forward(self, x: Tensor, p: Tensor | None = None) -> Tensor:
        """Map h and p, by default the same map, to (N, out_channels, H / stride, W / stride)."""
        maps = self.maps(self.adjust_h(x), self.adjust_p(x if p is None else p))
        return self.after_sum(self.on_branch(torch.cat(maps, 1)))

    def maps(self, h: Tensor, p: Tensor) -> list[Tensor]:
        """Return the maps of the output, each of the width of h and p."""
        raise NotImplementedError

    def inner_sites(self) -> list[Site]:
        adjusted = [
            Site("reduction", each, each.paths[0] if len(each.paths) == 1 else None, foldable(each.norm), name=name)
            for name, each in (("h", self.adjust_h), ("p", self.adjust_p))
        ]
        return adjusted + [
            Site("projection", conv, conv.second_pointwise, foldable(conv.second_norm), name=name)
            for name, conv in self.convs.items()
        ]


class Normal(Cell):
    """Normal cell: p, sep5(h) + sep3(p), sep5(p) + sep3(p), avg3(h) + p, 2 avg3(p) and sep3(h) + h, side by side."""

    separable = (("y0_h", 5), ("y0_p", 3), ("y1a_p", 5), ("y1b_p", 3), ("y4_h", 3))

    def maps(self, h: Tensor, p: Tensor) -> list[Tensor]:
        convs, average = self.convs, self.average(p)
        return [
            p,
            convs["y0_h"](h) + convs["y0_p"](p),
            convs["y1a_p"](p) + convs["y1b_p"](p),
            self.average(h) + p,
            average + average,
            convs["y4_h"](h) + h,
        ]


class Reduction(Cell):
    """Reduction cell: y1 = max3(h) + sep7(p), avg3(h) + sep5(p), avg3(y) + y1 and sep3(y) + max3(h), side by side.

    There y = sep5(h) + sep7(p); what reads h or p strides, and what reads y does not.
    """

    parts = 4
    separable = (("y0_h", 5), ("y0_p", 7), ("y1_p", 7), ("y2_p", 5), ("y4_y", 3))

    def __init__(self, in_channels, out_channels, **options) -> None:
        super().__init__(in_channels, out_channels, **options)
        self.largest = nn.MaxPool2d(3, self.stride, 1)
        self.average_again = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def maps(self, h: Tensor, p: Tensor) -> list[Tensor]:
        convs, largest = self.convs, self.largest(h)
        y0 = convs["y0_h"](h) + convs["y0_p"](p)
        y1 = largest + convs["y1_p"](p)
        y2 = self.average(h) + convs["y2_p"](p)
        return [y1, y2, self.average_again(y0) + y1, convs["y4_y"](y0) + largest]


class Cells(nn.Sequential):
    """Cells one after the other, each of which also reads what the one before it read."""

    def forward(self, x: Tensor) -> Tensor:
        h = p = x
        for cell in self:
            h, p = cell(h, p), h
        return h


def published(filters: int, repeats: int, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out the network for images of 32 pixels: three groups of normal cells, with a reduction cell between them.

    The strides are the same at any size.

    Parameters
    ----------
    filters : int
        F, the width of the maps in the first cells; a reduction cell doubles it. The paper's smallest has 32.
    repeats : int
        N, the normal cells of a group.
    """
    cells: list[Cell] = []
    h = p = 3 * filters
    for group in range(3):
        width = filters * 2**group
        if group:
            cells.append(Reduction(h, 4 * width, stride=2, make=make, before=p))
            h, p = 4 * width, h
        for position in range(repeats):
            halves = bool(group) and not position
            cells.append(Normal(h, 6 * width, stride=1, make=make, before=p, halves=halves))
            h, p = 6 * width, h
    stem = nn.Sequential(
        nn.Conv2d(in_channels, 3 * filters, 3, 1, 1, bias=False), nn.BatchNorm2d(3 * filters, eps=1e-3)
    )
    return Layout(stem, [[Cells(*cells)]], h, neck=nn.ReLU())


SIZES = ((4, 1), (4, 2), (6, 1), (8, 1), (8, 2), (12, 1), (16, 2), (32, 6))
PUBLISHED = {f"nasnet_f{filters}_n{repeats}": partial(published, filters, repeats) for filters, repeats in SIZES}
