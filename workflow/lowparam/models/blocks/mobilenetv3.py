"""MobileNetV3's inverted residual with squeeze-and-excitation (Howard et al. 2019, arXiv 1905.02244, section 5).

The field counts MobileNetV3 in several incompatible ways, so the name of a published network tells which it is:

``1280``     last linear layer of 1280 at every width: the paper's and TensorFlow's counts (Small x1.0: 2,946,568)
``1024``     last linear layer of 1024 at every width (Small only; x1.0: 2,542,856)
``scaled``   last linear layer scaled with the width, 1024 for Small and 1280 for Large: torchvision
``timm``     1024 for Small, 1280 for Large, and hidden widths rounded from the rounded input: timm
``minimal``  as ``timm`` without squeeze-and-excitation, h-swish and kernels of 5
"""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site, foldable
from lowparam.models.layers import ConvNormAct, SqueezeExcite, conv_norm_act, kaiming, make_divisible
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "InvertedResidualSE"]


class InvertedResidualSE(Block):
    """PW, BN, h-swish -> DW 5x5, BN, h-swish -> SE -> PW, BN, linear; shortcut on the narrow side.

    The paper's table lists kernels 3 and 5, expansions from 1 to 6 and SE in some rows. The controlled mode takes
    one row for all: that of the late stages of MobileNetV3-Large, kernel 5 with SE, at the mean expansion of 4.
    Where the hidden width is that of the input, there is no first PW.

    Parameters
    ----------
    kernel_size : int
        Of the depthwise convolution.
    """

    defaults = Defaults(activation=nn.Hardswish, gate=SqueezeExcite)
    expansion = 4.0

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None, kernel_size=5) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.expand = (
            ConvNormAct(make.pointwise(in_channels, hidden), make.norm(hidden), make.activation(hidden))
            if hidden != in_channels
            else nn.Identity()
        )
        self.depthwise = ConvNormAct(
            make.spatial(hidden, kernel_size, stride), make.norm(hidden), make.activation(hidden)
        )
        self.excite = make.gate(hidden)
        self.project = ConvNormAct(make.pointwise(hidden, out_channels), make.norm(out_channels))
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        return self.scale(self.project(self.excite(self.depthwise(self.expand(x)))))

    def inner_sites(self) -> list[Site]:
        sites = [
            Site("spatial", self.depthwise),
            Site("projection", self.project, self.project.conv, foldable(self.project.norm)),
        ]
        if isinstance(self.expand, ConvNormAct):
            sites.insert(0, Site("expansion", self.expand, self.expand.conv, foldable(self.expand.norm)))
        return sites


ARCHITECTURES = {"mobilenetv3": InvertedResidualSE}

# kernel, hidden channels, output channels, SE, h-swish, stride (tables 1 and 2 of the paper)
SMALL = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)
LARGE = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
# The hidden widths above are these multiples of the input of a row (timm scales the input and multiplies then).
RATIOS_SMALL = (1, 4.5, 3.67, 4, 6, 6, 3, 3, 6, 6, 6)
RATIOS_LARGE = (1, 4, 3, 3, 3, 3, 6, 2.5, 2.3, 2.3, 6, 6, 6, 6, 6)


def published(size: str, convention: str, width: float, *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out MobileNetV3 Small or Large at a width, with one of the heads above.

    For small images the stem and the first striding block do not stride.

    Parameters
    ----------
    size : {"small", "large"}
        Which of the two networks.
    convention : {"1280", "1024", "scaled", "timm", "minimal"}
        Which head, as listed at the head of this file.
    width : float
        Factor of all numbers of channels, which are rounded to multiples of 8.
    """
    rows, ratios, last = (SMALL, RATIOS_SMALL, 1024) if size == "small" else (LARGE, RATIOS_LARGE, 1280)
    minimal, of_timm = convention == "minimal", convention in ("timm", "minimal")
    norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
    before = 16 if of_timm and width < 0.75 else make_divisible(16 * width)
    stem = conv_norm_act(
        in_channels, before, 3, stride=1 if small else 2, activation=nn.ReLU if minimal else nn.Hardswish, norm=norm
    )
    stages: list[list[nn.Module]] = []
    strides_left = int(small)
    for (kernel, hidden, channels, excite, swish, stride), ratio in zip(rows, ratios, strict=True):
        after = make_divisible(channels * width)
        inside = make_divisible(before * ratio) if of_timm else make_divisible(hidden * width)
        squeezed = make_divisible(inside / 4 if of_timm else inside // 4)
        if stride == 2 and strides_left:
            stride, strides_left = 1, strides_left - 1
        if not stages or channels != rows[sum(map(len, stages)) - 1][2]:
            stages.append([])
        stages[-1].append(
            InvertedResidualSE(
                before,
                after,
                stride=stride,
                hidden=inside,
                make=make.with_defaults(
                    norm=norm,
                    activation=nn.Hardswish if swish and not minimal else nn.ReLU,
                    gate=partial(SqueezeExcite, squeezed=squeezed) if excite and not minimal else None,
                ),
                kernel_size=3 if minimal else kernel,
            )
        )
        before = after
    widened = make_divisible(rows[-1][1] * width) if of_timm else 6 * before
    features = {"1280": 1280, "1024": 1024, "scaled": make_divisible(last * width)}.get(convention, last)
    swish = nn.ReLU if minimal else nn.Hardswish
    neck = conv_norm_act(before, widened, activation=swish, norm=norm)
    head = nn.Sequential(nn.Linear(widened, features), swish())
    return Layout(stem, stages, features, neck=neck, head=head, counted_as_head=[neck, head], initialise=kaiming)


PUBLISHED = {
    f"mobilenetv3_{size}_{convention}_x{width}": partial(published, size, convention, width)
    for size, convention, widths in (
        ("small", "1280", (0.25, 0.35, 0.5, 0.75, 1.0)),
        ("small", "1024", (0.35, 0.5, 0.75, 1.0)),
        ("small", "scaled", (0.25, 0.35, 0.5, 0.75, 1.0)),
        ("small", "timm", (0.5, 0.75, 1.0)),
        ("small", "minimal", (1.0,)),
        ("large", "1280", (0.25, 0.35, 0.5, 0.75, 1.0)),
        ("large", "scaled", (0.25, 0.35, 0.5, 0.75, 1.0)),
        ("large", "timm", (0.75, 1.0)),
    )
    for width in widths
}
