"""The wide residual block for small images (Zagoruyko and Komodakis 2016, arXiv 1605.07146, section 2 and table 1)."""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site
from lowparam.models.layers import Sum, rectifier_normal
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "WideBasic"]


class WideBasic(Block):
    """o = ReLU(BN x) -> dense 3x3 -> BN, ReLU -> dense 3x3; plus x, or PW(o) where the block strides or widens.

    No convolution has a bias, and nothing follows the sum. Both 3x3 layers are read as spatial: what writes to the
    stream is not a 1x1 convolution, so measures of pointwise layers see none in this block. In the controlled skeleton
    no norm precedes the pooling, unlike in the published networks.
    """

    defaults = Defaults()

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, make=make)
        make = self.bound(make)
        self.norm_first = make.norm(in_channels)
        self.act_first = make.activation(in_channels)
        self.first = make.striding(partial(_dense, in_channels, out_channels, 3), out_channels, stride)
        self.norm_second = make.norm(out_channels)
        self.act_second = make.activation(out_channels)
        self.gate = make.gate(out_channels)
        self.second = make.spatial(out_channels, 3, dense=True)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()
        if not self.residual:
            self.reshape = make.striding(partial(_dense, in_channels, out_channels, 1), out_channels, stride)
            self.sum = Sum()

    def branch(self, x: Tensor) -> Tensor:
        o = self.act_first(self.norm_first(x))
        y = self.scale(self.second(self.gate(self.act_second(self.norm_second(self.first(o))))))
        return y if self.residual else self.sum(y, self.reshape(o))

    def inner_sites(self) -> list[Site]:
        return [Site("spatial", self.act_second, name="first"), Site("spatial", self.scale, name="second")]


def _dense(before: int, after: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)


ARCHITECTURES = {"wideresnet": WideBasic}


def published(depth: int, width: int, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out WRN-depth-width: a stem of 16 channels without a norm, three groups, a norm before the pooling.

    The strides are those for 32 x 32 images at any size.

    Parameters
    ----------
    depth : int
        Convolutions on the longest way: 6 N + 4 for N blocks a group.
    width : int
        Factor of the widths 16, 32 and 64.
    """
    stem, before, stages = _dense(in_channels, 16, 3, 1), 16, []
    for group in range(3):
        after = 16 * 2**group * width
        stages.append([])
        for position in range((depth - 4) // 6):
            stride = 2 if group and not position else 1
            stages[-1].append(WideBasic(before, after, stride=stride, make=make))
            before = after
    neck = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU())
    return Layout(stem, stages, before, neck=neck, initialise=partial(rectifier_normal, slope=0.0))


SIZES = ((10, 1), (16, 1), (22, 1), (28, 1), (40, 1), (10, 2), (16, 2))  # those below 1.5 million parameters
PUBLISHED = {f"wideresnet_{depth}_{width}": partial(published, depth, width) for depth, width in SIZES}
