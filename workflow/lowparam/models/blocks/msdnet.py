"""DLSIA's mixed-scale dense network (Roberts et al. 2023, arXiv 2308.02559; after Pelt and Sethian 2018).

As in the authors' core/networks/msdnet.py, with the mean over positions and a linear classifier at the end, which is
the mean of their last 1x1 convolution. Every layer reads all maps before it at full size, so that there is no block for
the skeleton. SMSNet, whose wiring is drawn at random, is left out: in evaluation its norms depend on the batch.
"""

from functools import partial

import torch
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site
from lowparam.models.make import Defaults, Make

__all__ = ["PUBLISHED", "DenseLayer"]


class DenseLayer(Block):
    """BN(ReLU((x, 3x3 x))): the map and a few new channels, each a dense 3x3 with a dilation of its own.

    Parameters
    ----------
    dilations : sequence of int
        Of the new channels.
    """

    defaults = Defaults(bias=True)
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None, dilations=(1,)) -> None:
        super().__init__(in_channels, out_channels, stride=stride, make=make)
        make = self.bound(make)
        self.convs = nn.ModuleList(nn.Conv2d(in_channels, 1, 3, 1, d, d) for d in dilations)
        self.act = make.activation(out_channels)
        self.norm = make.norm(out_channels)

    def branch(self, x: Tensor) -> Tensor:
        return self.norm(self.act(torch.cat((x, *(conv(x) for conv in self.convs)), 1)))

    def inner_sites(self) -> list[Site]:
        return [Site("spatial", self.act)]


def published(layers: int, width: int, farthest: int, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out a mixed-scale dense network: layers of a few channels each, whose dilations repeat; no map ever shrinks.

    Parameters
    ----------
    layers, width : int
        Number of layers, and new channels of each.
    farthest : int
        The largest dilation; 10 are the authors' default, which reads beyond maps of 8 pixels.
    """
    blocks: list[nn.Module] = []
    before = in_channels
    for layer in range(layers):
        dilations = [(layer * width + channel) % farthest + 1 for channel in range(width)]
        blocks.append(DenseLayer(before, before + width, stride=1, make=make, dilations=dilations))
        before += width
    return Layout(nn.Identity(), [blocks], before)


SIZES = {"l50_w1": (50, 1, 10), "l100_w1": (100, 1, 10), "l50_w1_d4": (50, 1, 4), "l100_w1_d4": (100, 1, 4)}
PUBLISHED = {f"msdnet_{name}": partial(published, *size) for name, size in SIZES.items()}
