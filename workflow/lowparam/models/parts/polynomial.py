"""A learned polynomial of degree 2 for each channel, in place of every activation of a block.

The activation of section 3.2 of the paper without its resampling, so that it is not alias-free: ``aliasfree`` is.
3 C + 2 parameters an activation of C channels.
"""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "Polynomial", "make"]

SLOT = "activation"
LABEL = "polynomial"
PAPER = "Michaeli, Michaeli and Soudry 2023, arXiv 2303.08085, section 3.2"
EQUALS = "GELU within 0.04 in [-1.4, 1.4] at its start; the identity for coefficients (0, 1, 0). 3 C + 2 parameters."

FITTED = (0.0169394634, 0.5, 0.3078363964)
"""The authors' initial coefficients of 1, x and x^2, a parabola fitted to GELU."""


class Polynomial(nn.Module):
    """Map x to s_out (c0 + c1 s_in x + c2 (s_in x)^2), c learned for each channel, s_in and s_out one number each.

    The scales begin at 1. The authors' 7 belongs to maps of ImageNet behind layer norm.
    """

    drawn = "polynomial"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.tensor(FITTED).repeat(channels, 1))
        self.scale_in, self.scale_out = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        c0, c1, c2 = self.coefficients.T[:, :, None, None]
        u = self.scale_in * x
        return self.scale_out * (c0 + u * (c1 + c2 * u))


def make(channels: int) -> nn.Module:
    """Return a polynomial of (N, channels, H, W)."""
    return Polynomial(channels)
