"""ConvNeXt's block (Liu et al. 2022, arXiv 2201.03545, section 2 and figure 4)."""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.layers import LayerNorm2d, LayerScale
from lowparam.models.make import Defaults
from lowparam.models.skeletons.convnext import convnext_frame

__all__ = ["ARCHITECTURES", "PUBLISHED", "ConvNeXtBlock"]


class ConvNeXtBlock(Block):
    """DW 7x7 -> LN -> PW to the hidden width, GELU -> PW -> layer scale; shortcut on the narrow side.

    A block without a shortcut has no layer scale: its initial 1e-6 would silence the stream.
    """

    defaults = Defaults(norm=LayerNorm2d, activation=nn.GELU, scale=LayerScale, bias=True)
    expansion = 4.0
    kernel_size = 7

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        self.depthwise = make.spatial(in_channels, self.kernel_size, stride)
        self.norm = make.norm(in_channels)
        self.expand = make.pointwise(in_channels, hidden)
        self.act = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = make.pointwise(hidden, out_channels)
        self.scale = make.scale(out_channels) if self.residual else nn.Identity()

    def branch(self, x: Tensor) -> Tensor:
        x = self.norm(self.depthwise(x))
        return self.scale(self.project(self.gate(self.act(self.expand(x)))))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.depthwise),
            Site("expansion", self.act, self.expand),
            Site("projection", self.scale, self.project, scale=getattr(self.scale, "gamma", None)),
        ]


ARCHITECTURES = {"convnext": ConvNeXtBlock}

# widths and depths of the stages. The paper's smallest network is Tiny (28 M); these smaller ones are timm's.
ATTO, FEMTO, PICO = (40, 80, 160, 320), (48, 96, 192, 384), (64, 128, 256, 512)
DEPTHS = (2, 2, 6, 2)

PUBLISHED = {
    "convnext_w16": partial(convnext_frame, ConvNeXtBlock, (16, 32, 64, 128), DEPTHS),
    "convnext_w24": partial(convnext_frame, ConvNeXtBlock, (24, 48, 96, 192), DEPTHS),
    "convnext_w24_shallow": partial(convnext_frame, ConvNeXtBlock, (24, 48, 96, 192), (2, 2, 4, 2)),
    "convnext_atto": partial(convnext_frame, ConvNeXtBlock, ATTO, DEPTHS),
    "convnext_atto_ols": partial(convnext_frame, ConvNeXtBlock, ATTO, DEPTHS, overlap=True),
    "convnext_femto": partial(convnext_frame, ConvNeXtBlock, FEMTO, DEPTHS),
    "convnext_femto_ols": partial(convnext_frame, ConvNeXtBlock, FEMTO, DEPTHS, overlap=True),
    "convnext_pico": partial(convnext_frame, ConvNeXtBlock, PICO, DEPTHS),
}
