"""ConvNeXt V2's block (Woo et al. 2023, arXiv 2301.00808, section 4 and figure 5)."""

from functools import partial

import torch
from torch import Tensor, nn

from lowparam.models.blocks.convnext import ConvNeXtBlock
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


class ConvNeXtV2Block(ConvNeXtBlock):
    """DW 7x7 -> LN -> PW to the hidden width, GELU, GRN -> PW; shortcut on the narrow side.

    ConvNeXt's block with global response normalisation in place of layer scale.
    """

    defaults = Defaults(norm=LayerNorm2d, activation=nn.GELU, gate=GlobalResponseNorm, bias=True)


ARCHITECTURES = {"convnextv2": ConvNeXtV2Block}

PUBLISHED = {  # table 1 of the appendix
    f"convnextv2_{name}": partial(convnext_frame, ConvNeXtV2Block, widths, (2, 2, 6, 2))
    for name, widths in (
        ("atto", (40, 80, 160, 320)),
        ("femto", (48, 96, 192, 384)),
        ("pico", (64, 128, 256, 512)),
    )
}
