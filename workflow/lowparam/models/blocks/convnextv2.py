"""ConvNeXt V2's block (Woo et al. 2023, arXiv 2301.00808, section 4 and figure 5)."""

from functools import partial

import torch
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import LayerNorm2d
from lowparam.models.make import Defaults
from lowparam.models.skeletons.convnext import convnext_frame

__all__ = ["ARCHITECTURES", "PUBLISHED", "ConvNeXtV2Block", "GlobalResponseNorm"]


class GlobalResponseNorm(nn.Module):
    """x + gamma * (x * n) + beta, where n is the norm of a channel over space, divided by the mean of all channels.

    The input has shape (N, C, H, W). gamma and beta begin at 0, so the layer begins as the identity (equations 1 to 3).
    """

    drawn = "GRN"

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(channels, 1, 1))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        response = x.norm(dim=(2, 3), keepdim=True)
        response = response / (response.mean(dim=1, keepdim=True) + self.eps)
        return x + self.gamma * (x * response) + self.beta


class ConvNeXtV2Block(Block):
    """DW 7x7 -> LN -> PW to the hidden width, GELU, GRN -> PW; shortcut on the narrow side."""

    defaults = Defaults(norm=LayerNorm2d, activation=nn.GELU, gate=GlobalResponseNorm, bias=True)
    expansion = 4.0
    kernel_size = 7

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.depthwise = make.spatial(in_channels, self.kernel_size, stride)
        self.norm = make.norm(in_channels)
        self.expand = make.pointwise(in_channels, hidden)
        self.act = make.activation(hidden)
        self.respond = make.gate(hidden)
        self.project = make.pointwise(hidden, out_channels)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        x = self.norm(self.depthwise(x))
        return self.scale(self.project(self.respond(self.act(self.expand(x)))))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise),
            Site("expansion", self.act, self.expand),
            Site("projection", self.scale, self.project, scale=getattr(self.scale, "gamma", None)),
        ]


ARCHITECTURES = {"convnextv2": ConvNeXtV2Block}

PUBLISHED = {  # table 1 of the appendix
    f"convnextv2_{name}": partial(convnext_frame, ConvNeXtV2Block, widths, (2, 2, 6, 2))
    for name, widths in (
        ("atto", (40, 80, 160, 320)),
        ("femto", (48, 96, 192, 384)),
        ("pico", (64, 128, 256, 512)),
    )
}
