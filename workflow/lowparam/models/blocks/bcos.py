"""B-cos units in an inverted residual (Boehle et al. 2022, arXiv 2205.10268, section 3; v2, arXiv 2306.10898).

An output is the larger, the better its input points in the direction of the weights, so that weights align with what
they read. B is how strongly: the variants `bcos_b1.25`, `bcos_b1.5` and `bcos_b2.5` have other values than 2.
`bcos_maxout` has two filters an output, as the paper's networks do, and `bcos_maxout_b1` is its control without
alignment. The authors' networks have images with their negatives as input, no norm of pixels, B-cos units in stem and
classifier, and binary cross-entropy; all of these belong to the skeleton or the recipe, which are those of all blocks
here. So the network as a whole is no product of matrices of its input, though each block is but for its shortcut.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lowparam.models.blocks.base import Block, Site
from lowparam.models.make import Defaults

__all__ = ["ABLATIONS", "ARCHITECTURES", "Alignment", "BcosConv", "BcosResidual", "Uncentred"]

EPSILON = 1e-6


class _UnitFilters(nn.Module):
    """Filters (outputs, ...) of length 1."""

    def forward(self, weight: Tensor) -> Tensor:
        return F.normalize(weight.flatten(1)).reshape(weight.shape)


class Alignment(nn.Module):
    """|cos|^(B - 1) y, from y = w . p and the map that p are patches of; w has length 1, so cos = y / |p|.

    With several filters an output the largest y counts. Zeros around the map are part of its patches.

    Parameters
    ----------
    kernel, stride, groups : int
        Those of the convolution that makes y.
    power : float
        B, at least 1.
    filters : int
        Filters an output, which are next to each other in y.
    """

    def __init__(self, kernel: int, stride: int, groups: int, *, power: float, filters: int) -> None:
        super().__init__()
        self.kernel, self.stride, self.groups = kernel, stride, groups
        self.power, self.filters = power, filters

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        if self.filters > 1:
            y = y.unflatten(1, (-1, self.filters)).amax(2)
        squares = x.square().unflatten(1, (self.groups, -1)).sum(2)
        patches = F.avg_pool2d(squares, self.kernel, self.stride, self.kernel // 2) * self.kernel**2
        length = (patches + EPSILON).sqrt().repeat_interleave(y.shape[1] // self.groups, 1)
        if self.power == 2:
            return y.abs() * y / length
        return ((y / length).abs() + EPSILON) ** (self.power - 1) * y


class BcosConv(nn.Module):
    """A convolution of unit filters without bias, and `Alignment` of its outputs.

    Parameters
    ----------
    before, after : int
        Channels of input and output.
    kernel, stride, groups : int
        As of a convolution; padding is kernel // 2.
    power : float
        B.
    filters : int
        Filters an output.
    """

    def __init__(
        self, before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, power: float, filters: int
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after * filters, kernel, stride, kernel // 2, groups=groups, bias=False)
        parametrize.register_parametrization(self.conv, "weight", _UnitFilters())
        self.drawn = f"{kernel}×{kernel} {'depthwise ' * (groups > 1)}B-cos"
        self.align = Alignment(kernel, stride, groups, power=power, filters=filters)

    def forward(self, x: Tensor) -> Tensor:
        return self.align(self.conv(x), x)


class Uncentred(nn.Module):
    """g x / s of (N, C, H, W), s the standard deviation of a channel over batch and positions, without a shift.

    In eval mode s is of the running variance, which follows as that of batch norm does.

    Parameters
    ----------
    channels : int
        C.
    """

    drawn = "uncentred BN"
    eps, momentum = 1e-5, 0.1
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        variance = self.running_var
        if self.training:
            variance = x.var((0, 2, 3), unbiased=False)
            self.running_var.lerp_(variance.detach(), self.momentum)
        return x * (self.weight / (variance + self.eps).sqrt())[:, None, None]


class BcosResidual(Block):
    """B-cos PW to the hidden width, norm -> B-cos DW 3x3, norm -> B-cos PW, norm; shortcut on the narrow side.

    A B-cos layer is a convolution of unit filters w, whose output w . p at a patch p is multiplied by |cos(p, w)|. The
    norm is batch norm without mean and bias, so there is no bias, and no activation: the factor is what is not linear.
    Against MobileNetV2 it takes the place of convolution and ReLU6. The filters are read as they are used, of length 1;
    no part takes the place of their convolutions.
    """

    defaults = Defaults(norm=Uncentred, activation=nn.Identity)
    expansion = 6.0
    power: ClassVar[float] = 2.0
    filters: ClassVar[int] = 1

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        kind = {"power": self.power, "filters": self.filters}

        def depthwise(stride: int) -> nn.Module:
            return BcosConv(hidden, hidden, 3, stride, hidden, **kind)

        self.expand = BcosConv(in_channels, hidden, **kind)
        self.norm_expanded, self.act_expanded = make.norm(hidden), make.activation(hidden)
        self.depthwise = make.striding(depthwise, hidden, stride)
        self.norm_spatial, self.act_spatial = make.norm(hidden), make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = BcosConv(hidden, out_channels, **kind)
        self.norm_projected = make.norm(out_channels)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        x = self.act_expanded(self.norm_expanded(self.expand(x)))
        x = self.gate(self.act_spatial(self.norm_spatial(self.depthwise(x))))
        return self.scale(self.norm_projected(self.project(x)))

    def inner_sites(self) -> list[Site]:
        """Return the sites; the factor of alignment is between a layer and its norm, which is therefore not folded."""
        one, gamma = self.filters == 1, getattr(self.scale, "gamma", None)
        return [
            Site("expansion", self.act_expanded, self.expand.conv if one else None),
            Site("spatial", self.act_spatial),
            Site("projection", self.scale, self.project.conv if one else None, scale=gamma),
        ]


def _variant(about: str, **settings) -> type[BcosResidual]:
    return type("BcosResidual", (BcosResidual,), {"__doc__": f"As `BcosResidual`, {about}.", **settings})


ARCHITECTURES = {"bcos": BcosResidual}
LABELS = {"bcos": "B-cos"}
ABLATIONS = {
    "bcos_b1.25": _variant("with the factor |cos|^0.25", power=1.25),
    "bcos_b1.5": _variant("with the factor |cos|^0.5", power=1.5),
    "bcos_b2.5": _variant("with the factor |cos|^1.5", power=2.5),
    "bcos_maxout": _variant("with the larger of two filters an output", filters=2),
    "bcos_maxout_b1": _variant("with the larger of two filters an output and without the factor", power=1.0, filters=2),
}
