"""VAN's block, large kernel attention (Guo et al. 2022, arXiv 2202.09741, section 3; the authors' models/van.py)."""

import math
from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site
from lowparam.models.branches import embedding
from lowparam.models.layers import LayerNorm2d, LayerScale, Product, Sum
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "LargeKernelAttention", "VANBlock"]


class LargeKernelAttention(nn.Module):
    """u * PW(DW 7x7, dilation 3 (DW 5x5 (u))), all with bias, on (N, C, H, W).

    The product of a map with a linear function of its surroundings of 23 x 23 positions; neither norm nor sigmoid. On
    maps of fewer than 19 positions the outer taps of the dilated kernel read padding only and are counted all the same,
    as in the paper's layer.

    Parameters
    ----------
    channels : int
        C.
    make : Make
        Makes the 5x5 and the 1x1 convolution, so that parts can change their kernels.
    """

    def __init__(self, channels: int, make: Make) -> None:
        super().__init__()
        self.near = make.spatial(channels, 5)
        self.far = nn.Conv2d(channels, channels, 7, padding=9, dilation=3, groups=channels)
        self.mix = make.pointwise(channels, channels)
        self.product = Product()

    def forward(self, u: Tensor) -> Tensor:
        return self.product(u, self.mix(self.far(self.near(u))))


class VANBlock(Block):
    """x + s1 A(BN x), then x + s2 F(BN x), with A a gated and F a hidden branch.

    A is u + PW(LKA(GELU(PW u))), with its own shortcut on the normalised input; F is PW to the hidden width, DW 3x3,
    GELU, PW. The factors s begin at 0.01. A block that strides or widens begins with a dense 3x3 and a norm, as the
    stages of the published network do. The two shortcuts are inside, so a probe at S1 or S2 acts on the output.
    """

    defaults = Defaults(activation=nn.GELU, scale=partial(LayerScale, initial=0.01), bias=True)
    expansion = 4.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, width = self.bound(make), out_channels
        self.embed = embedding(make, in_channels, width, stride)
        self.norm_attention = make.norm(width)
        self.read = make.pointwise(width, width)
        self.act_attention = make.activation(width)
        self.attention = LargeKernelAttention(width, make)
        self.write = make.pointwise(width, width)
        self.sum_inside, self.sum_attention, self.sum_hidden = Sum(), Sum(), Sum()
        self.scale_attention = make.scale(width)
        self.norm_hidden = make.norm(width)
        self.expand = make.pointwise(width, hidden)
        self.depthwise = make.spatial(hidden, 3)
        self.act_hidden = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = make.pointwise(hidden, width)
        self.scale_hidden = make.scale(width)

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        u = self.norm_attention(x)
        u = self.sum_inside(u, self.write(self.attention(self.act_attention(self.read(u)))))
        x = self.sum_attention(x, self.scale_attention(u))
        y = self.act_hidden(self.depthwise(self.expand(self.norm_hidden(x))))
        return self.sum_hidden(x, self.scale_hidden(self.project(self.gate(y))))

    def inner_sites(self) -> list[Site]:
        """Return the sites; what attention writes is a projection like that of the hidden branch."""
        gammas = [getattr(scale, "gamma", None) for scale in (self.scale_attention, self.scale_hidden)]
        return [
            Site("expansion", self.act_attention, self.read, name="read"),
            Site("branch", self.attention),
            Site("projection", self.write, self.write, scale=gammas[0], name="write"),
            Site("expansion", self.expand, self.expand),
            Site("spatial", self.act_hidden),
            Site("projection", self.scale_hidden, self.project, scale=gammas[1]),
        ]


ARCHITECTURES = {"van": VANBlock}


def published(widths: tuple[int, ...], depths: tuple[int, ...], *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out VAN: a 7x7 embedding of stride 4, then 3x3 of stride 2 between stages, and a layer norm after each.

    For small images the first embedding strides by 2.

    Parameters
    ----------
    widths, depths : tuple of int
        Channels and number of blocks of every stage.
    """
    own = make.bind(VANBlock.defaults)
    stem, before, stages = nn.Identity(), in_channels, []
    for stage, (width, depth, ratio) in enumerate(zip(widths, depths, RATIOS, strict=True)):
        stride = 2 if stage or small else 4
        embed = embedding(own, before, width, stride, kernel=3 if stage else 7)
        blocks = [VANBlock(width, width, stride=1, hidden=ratio * width, make=make) for _ in range(depth)]
        stages.append([embed, *blocks, LayerNorm2d(width)])
        before = width
    return Layout(stem, stages, before, initialise=fan_out_normal)


def fan_out_normal(module: nn.Module) -> None:
    """Set the weights of a convolution as published: normal with variance 2 / fan-out of a group, biases 0."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, 0, math.sqrt(2 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


RATIOS = (8, 8, 4, 4)
PUBLISHED = {  # table 2 of the paper
    "van_b0": partial(published, (32, 64, 160, 256), (3, 3, 5, 2)),
    "van_b1": partial(published, (64, 128, 320, 512), (2, 2, 4, 2)),
    "van_b2": partial(published, (64, 128, 320, 512), (3, 3, 12, 3)),
}
