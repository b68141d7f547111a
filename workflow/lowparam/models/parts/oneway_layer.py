"""Dense spatial convolutions as a k x 1 convolution to M channels and a 1 x k convolution, with nothing in between."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "one-way filters of each layer"
PAPER = "Boukraichi et al. 2023, arXiv 2304.04964; a reading, because the public text leaves the decomposition open"
EQUALS = (
    "A k x 1 convolution and a 1 x k convolution with M channels in between. It learns k M (Ci + Co) values, half as "
    "many as the plain kernel by default."
)


class OneWayLayer(nn.Module):
    """Multiply the kernels of both convolutions over the channels in between.

    Parameters
    ----------
    kernel, between : int
        k and M.
    """

    def __init__(self, kernel: int, between: int) -> None:
        super().__init__()
        self.kernel, self.between = kernel, between

    def forward(self, column: Tensor, row: Tensor) -> Tensor:
        return torch.einsum("omb,mia->oiab", row, column)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Draw both so that kernels have the variance of He et al., 2 / fan-in."""
        out, inputs = weight.shape[:2]
        deviation = (2 / (inputs * self.kernel**2) / self.between) ** 0.25
        column = weight.new_empty(self.between, inputs, self.kernel).normal_(std=deviation)
        return column, weight.new_empty(out, self.between, self.kernel).normal_(std=deviation)


def make(shape: tuple[int, ...], between: int | None = None) -> nn.Module | None:
    """Return one-way filters for a dense weight; None for a depthwise one, where this reading is that of ``oneway``."""
    out, inputs, kernel, _ = shape
    if inputs == 1:
        return None
    return OneWayLayer(kernel, between or max(1, round(kernel * out * inputs / (out + inputs) / 2)))
