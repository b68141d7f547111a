"""The basic block of pyramidal residual networks (Han et al. 2016, arXiv 1610.02915, section 2 and figure 6d)."""

import math
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from lowparam.models.blocks.base import Block, Layout, Site
from lowparam.models.layers import ConvNormAct, Sum, conv_norm_act
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "PaddedShortcut", "PyramidBasic"]


class PaddedShortcut(nn.Module):
    """The shortcut without parameters: the mean of 2x2 positions where a block strides, and zeros as new channels.

    At an odd height or width the last positions are means of those that are there. Zeros follow the channels of the
    input. A block that narrows keeps its first channels.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and of the output.
    stride : int
        1 or 2.
    """

    drawn = "zero padding"

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.missing, self.stride = out_channels - in_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 2:
            x = functional.avg_pool2d(x, 2, ceil_mode=True)
        return functional.pad(x, (0, 0, 0, 0, 0, self.missing))


class PyramidBasic(Block):
    """BN -> dense 3x3, BN, ReLU -> dense 3x3, BN; a shortcut always, which pools and pads with zeros where needed.

    There is no activation before the first convolution and none after the sum. Where the block strides or widens, the
    shortcut is inside, so a probe at S2 acts on the sum. Both 3x3 layers are read as spatial: what writes to the stream
    is not a 1x1 convolution, so measures of pointwise layers see none in this block. The controlled skeleton doubles
    widths between stages; only the published networks widen in every block.
    """

    defaults = Defaults()

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, make=make)
        make = self.bound(make)
        self.norm = make.norm(in_channels)
        self.first = ConvNormAct(
            make.striding(partial(_dense, in_channels, out_channels), out_channels, stride),
            make.norm(out_channels),
            make.activation(out_channels),
        )
        self.gate = make.gate(out_channels)
        self.second = ConvNormAct(make.spatial(out_channels, 3, dense=True), make.norm(out_channels))
        self.scale = make.scale(out_channels)
        if not self.residual:
            self.pad = PaddedShortcut(in_channels, out_channels, stride)
            self.sum = Sum()

    def branch(self, x: Tensor) -> Tensor:
        y = self.scale(self.second(self.gate(self.first(self.norm(x)))))
        return y if self.residual else self.sum(self.pad(x), y)

    def inner_sites(self) -> list[Site]:
        return [Site("spatial", self.first, name="first"), Site("spatial", self.scale, name="second")]


def _dense(before: int, after: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride, 1, bias=False)


ARCHITECTURES = {"pyramidnet": PyramidBasic}


def widths(depth: int, alpha: int) -> list[int]:
    """Return the width of every block: 16 and, spread evenly over all blocks, alpha more (equation 3)."""
    blocks = (depth - 2) // 2
    return [math.floor(16 + alpha * k / blocks + 0.5) for k in range(1, blocks + 1)]


def published(depth: int, alpha: int, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out PyramidNet for CIFAR: a stem of 16 channels, three groups, a norm before the pooling.

    Every block widens. The strides are those for 32 x 32 images at any size.

    Parameters
    ----------
    depth : int
        Layers with weights: 6 n + 2 for n blocks a group.
    alpha : int
        Channels that the last block has more than the stem.
    """
    stem, before, stages = conv_norm_act(in_channels, 16, 3), 16, [[], [], []]
    every = (depth - 2) // 6
    for position, after in enumerate(widths(depth, alpha)):
        group, inside = divmod(position, every)
        stages[group].append(PyramidBasic(before, after, stride=2 if group and not inside else 1, make=make))
        before = after
    neck = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU())
    return Layout(stem, stages, before, neck=neck, initialise=_fan_out)


def _fan_out(module: nn.Module) -> None:
    """Set the weights of a convolution as the authors' code does: normal with variance 2 / fan-out."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")


# The paper's smallest has depth 110 and alpha 48; the others follow its rule below 1.5 million parameters.
SIZES = ((20, 8), (20, 24), (38, 48), (56, 48), (110, 24), (110, 48))
PUBLISHED = {f"pyramidnet_{depth}_a{alpha}": partial(published, depth, alpha) for depth, alpha in SIZES}
