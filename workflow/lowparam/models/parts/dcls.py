"""Spatial kernels of few weights at learned positions (DCLS: dilated convolution with learnable spacings)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "learned spacings"
PAPER = "Khalfaoui-Hassani, Pellegrini and Masquelier 2023, arXiv 2112.03740, section 2"
EQUALS = (
    "A plain k x k kernel where its k^2 weights are at the integer positions. It learns 3 m values a filter, m weights "
    "and 2 m positions; m = k^2 / 3 by default, rounded."
)


class Spacings(nn.Module):
    """Spread each weight over the four grid points around its position, by bilinear interpolation.

    The paper's first version; its second divides by the sum over the grid, which is 1 for all allowed positions.
    Positions belong to each filter of each layer: sharing them in a stage and the repulsion loss are left out.

    Parameters
    ----------
    size : int
        Height and width s of the grid, odd.
    elements : int
        Weights m of each filter.
    """

    undecayed: ClassVar = {
        "original1": 5.0
    }  # as the authors train: positions do not decay and learn five times as fast

    def __init__(self, size: int, elements: int) -> None:
        super().__init__()
        self.size, self.elements = size, elements

    def forward(self, weight: Tensor, position: Tensor) -> Tensor:
        limit = self.size // 2
        allowed = position.detach().clamp(-limit, limit)
        if self.training:  # the authors clamp after every step; here it is before the next use
            with torch.no_grad():
                position.copy_(allowed)
        position = allowed + (position - position.detach())
        grid = torch.arange(-limit, limit + 1, device=position.device, dtype=position.dtype)
        rows, columns = (1 - (position.unsqueeze(-1) - grid).abs()).clamp(min=0)  # each (Co, Ci, m, s)
        return torch.einsum("oim,oima,oimb->oiab", weight, rows, columns)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Draw weights as of a convolution with m elements, and positions from N(0, 0.5), as the authors do."""
        out, inputs = weight.shape[:2]
        bound = (inputs * self.elements) ** -0.5
        drawn = weight.new_empty(out, inputs, self.elements).uniform_(-bound, bound)
        position = weight.new_empty(2, out, inputs, self.elements).normal_(std=0.5)
        return drawn, position.clamp(-(self.size // 2), self.size // 2)


def make(shape: tuple[int, ...], size: int | None = None, elements: int | None = None) -> nn.Module:
    """Return learned spacings for a weight of this shape.

    By default m = k^2 / 3, so that a filter has as many learned values as before, on a grid of 2 k - 1. ConvNeXt has
    m = 34 on a grid of 17 for k = 7, and shares positions.
    """
    kernel = shape[-1]
    return Spacings(size or 2 * kernel - 1, elements or max(1, round(kernel**2 / 3)))
