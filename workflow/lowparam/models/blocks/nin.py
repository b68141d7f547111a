"""Network in Network's block, a convolution and a small network at each position (Lin et al. 2013, arXiv 1312.4400)."""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site, foldable
from lowparam.models.layers import ConvNormAct, rectifier_normal
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "MlpConv"]


class MlpConv(Block):
    """Dense 3x3 to the hidden width, BN, ReLU -> PW, BN, ReLU -> PW, BN, ReLU; no shortcut.

    Batch norms are those of the form that Zagoruyko and Komodakis train; the paper of 2013 has biases and dropout in
    their place. The last PW is read as what writes to the stream, though an activation follows it.

    Parameters
    ----------
    mixed : int or None
        Output channels of the first PW; None is the hidden width.
    kernel_size : int
        Of the dense convolution.
    """

    defaults = Defaults()
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None, mixed=None, kernel_size=3) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, mixed = self.bound(make), mixed or hidden
        self.dense = ConvNormAct(
            make.striding(partial(_dense, in_channels, hidden, kernel_size, make.defaults.bias), hidden, stride),
            make.norm(hidden),
            make.activation(hidden),
        )
        self.mix = ConvNormAct(make.pointwise(hidden, mixed), make.norm(mixed), make.activation(mixed))
        self.gate = make.gate(mixed)
        self.project = ConvNormAct(
            make.pointwise(mixed, out_channels), make.norm(out_channels), make.activation(out_channels)
        )

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return out_width

    def branch(self, x: Tensor) -> Tensor:
        return self.project(self.gate(self.mix(self.dense(x))))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.dense),
            Site("expansion", self.mix, self.mix.conv, foldable(self.mix.norm)),
            Site("projection", self.project, self.project.conv, foldable(self.project.norm)),
        ]


def _dense(before: int, after: int, kernel: int, bias: bool, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=bias)


ARCHITECTURES = {"nin": MlpConv}

STAGES = ((5, 192, 160, 96), (5, 192, 192, 192), (3, 192, 192, 192))  # kernel, and the widths of the three layers


def published(width: float, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out NIN for CIFAR with batch norms: a max pooling after the first block, a mean pooling after the second.

    It is the form of Zagoruyko and Komodakis's `models/nin.lua`: no biases and no dropout, and a linear classifier on
    the pooled map in place of one map a class. The strides are those for 32 x 32 images at any size.

    Parameters
    ----------
    width : float
        Factor of all widths, whose products are whole.
    """
    pools = (nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, ceil_mode=True), None)
    before, stages = in_channels, []
    for (kernel, *widths), pool in zip(STAGES, pools, strict=True):
        first, second, after = (round(width * channels) for channels in widths)
        block = MlpConv(before, after, stride=1, hidden=first, mixed=second, kernel_size=kernel, make=make)
        stages.append([block] if pool is None else [block, pool])
        before = after
    return Layout(nn.Identity(), stages, before, initialise=partial(rectifier_normal, slope=0.0))


PUBLISHED = {f"nin_bn_x{width}": partial(published, width) for width in (0.125, 0.25, 0.5, 1.0)}
