"""The all-convolutional net, which strides and never pools (Springenberg et al. 2014, arXiv 1412.6806)."""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site
from lowparam.models.layers import rectifier_normal
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "AllConv"]


class AllConv(Block):
    """Dense 3x3, ReLU, three times, where the last strides; no norm, and no shortcut.

    All convolutions have biases and begin as in He et al. 2015, as the paper gives no initialisation. They are read as
    spatial: what writes to the stream is not a 1x1 convolution, so measures of pointwise layers see none in this block.
    `maxpool` and `avgpool` are the controls for striding.
    """

    defaults = Defaults(norm=lambda channels: nn.Identity(), bias=True)
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden=None, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, make=make)
        make = self.bound(make)
        self.layers = nn.ModuleList()
        before = in_channels
        for strides in (1, 1, stride):
            convolution = make.striding(partial(_dense, before, out_channels), out_channels, strides)
            norm, activation = make.norm(out_channels), make.activation(out_channels)
            self.layers.append(nn.Sequential(convolution, norm, activation))
            before = out_channels
        self.gate = make.gate(out_channels)

    def branch(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.gate(x)

    def inner_sites(self) -> list[Site]:
        return [Site("spatial", layer, name=f"layer{place}") for place, layer in enumerate(self.layers, 1)]


def _dense(before: int, after: int, stride: int) -> nn.Conv2d:
    convolution = nn.Conv2d(before, after, 3, stride, 1)
    rectifier_normal(convolution, slope=0.0)  # PyTorch's default dies out: no norm restores the scale
    return convolution


ARCHITECTURES = {"allcnn": AllConv}


def published(width: float, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out All-CNN-C, whose seventh 3x3 convolution has no padding.

    The last 1x1 convolution gives a map a class, whose mean is the logit: the same as a linear classifier on the mean,
    which stands here. The ReLU that the paper's table has on these maps is left out. The strides are those for 32 x 32
    images at any size.

    Parameters
    ----------
    width : float
        Factor of the widths 96 and 192, whose products are whole.
    """
    narrow, wide = round(96 * width), round(192 * width)
    stages: list[list[nn.Module]] = [
        [AllConv(in_channels, narrow, stride=2, make=make)],
        [AllConv(narrow, wide, stride=2, make=make)],
    ]
    neck = nn.Sequential(nn.Conv2d(wide, wide, 3), nn.ReLU(), nn.Conv2d(wide, wide, 1), nn.ReLU())
    return Layout(nn.Identity(), stages, wide, neck=neck, smallest=9)


PUBLISHED = {f"allcnn_c_x{width}": partial(published, width) for width in (0.125, 0.25, 0.5, 1.0)}
