"""EfficientNet's MBConv, scaled downwards (Tan and Le 2019, arXiv 1905.11946, sections 3.3 and 4, table 1)."""

import math
from functools import partial

from torch import nn

from lowparam.models.blocks.base import Layout
from lowparam.models.blocks.mobilenetv3 import InvertedResidualSE
from lowparam.models.layers import SqueezeExcite, conv_norm_act, kaiming, make_divisible
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "MBConv"]


class MBConv(InvertedResidualSE):
    """PW to the hidden width, BN, SiLU -> DW 3x3, BN, SiLU -> SE -> PW, BN, linear; shortcut on the narrow side.

    Squeeze-and-excitation has SiLU inside, and as many squeezed channels as a quarter of the block's input, not of the
    hidden width. Where the hidden width is that of the input, there is no first PW. Published networks have kernels of
    3 and 5.
    """

    defaults = Defaults(activation=nn.SiLU, gate=SqueezeExcite)
    expansion = 6.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None, kernel_size=3) -> None:
        squeezed = max(1, in_channels // 4)
        excite = partial(SqueezeExcite, squeezed=squeezed, activation=nn.SiLU, gate=nn.Sigmoid)
        super().__init__(
            in_channels,
            out_channels,
            stride=stride,
            hidden=hidden,
            make=(make or Make()).with_defaults(gate=excite),
            kernel_size=kernel_size,
        )


ARCHITECTURES = {"efficientnet": MBConv}

STAGES = (  # blocks, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def published(width: float, depth: float, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out EfficientNet. Compound scaling sets the width to 1.1^phi and the depth to 1.2^phi.

    A name such as `efficientnet_phim4` is phi = -4: smaller than B0 by the rule that the paper uses upwards, which goes
    with images of 224 x 1.15^phi pixels. Numbers of blocks are rounded up, so no stage vanishes; below phi = -8 every
    stage has one block, and the network shrinks in width alone. Where a convolution strides, padding is the same on all
    sides. For small images the stem and the 24-channel stage do not stride.

    Parameters
    ----------
    width : float
        Factor of all numbers of channels, which are rounded to multiples of 8.
    depth : float
        Factor of all numbers of blocks, which are rounded up.
    """
    norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
    make = make.with_defaults(norm=norm)
    before = make_divisible(32 * width)
    stem = conv_norm_act(in_channels, before, 3, stride=1 if small else 2, activation=nn.SiLU, norm=norm)
    stages = []
    for repeats, kernel, stride, expansion, channels in STAGES:
        after = make_divisible(channels * width)
        stages.append([])
        for position in range(math.ceil(depth * repeats)):
            strides = 1 if position or (small and channels == 24) else stride
            hidden = before * expansion
            block = MBConv(before, after, stride=strides, hidden=hidden, make=make, kernel_size=kernel)
            stages[-1].append(block)
            before = after
    features = make_divisible(1280 * width)
    neck = conv_norm_act(before, features, activation=nn.SiLU, norm=norm)
    return Layout(stem, stages, features, neck=neck, counted_as_head=[neck], initialise=kaiming)


RELEASED = {"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2)}  # width and depth, set by hand above B0
PUBLISHED = {f"efficientnet_{name}": partial(published, width, depth) for name, (width, depth) in RELEASED.items()} | {
    f"efficientnet_phim{-phi}": partial(published, 1.1**phi, 1.2**phi) for phi in (-2, -4, -6, -8, -10)
}
