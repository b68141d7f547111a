"""Spatial kernels as sums of products of one filter a column and one a row, for each kernel by itself."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "one-way filters of each kernel"
PAPER = "Boukraichi et al. 2023, arXiv 2304.04964; a reading, because the public text leaves the decomposition open"
EQUALS = (
    "A k x 1 convolution and a 1 x k convolution of each channel, R = 1, for a depthwise kernel; any kernel at R = k. "
    "It learns 2 k R Ci Co values, Ci = 1 for a depthwise kernel."
)


class OneWay(nn.Module):
    """Sum R products u v^T for each pair of output and input.

    Parameters
    ----------
    kernel, rank : int
        k and R.
    """

    def __init__(self, kernel: int, rank: int) -> None:
        super().__init__()
        self.kernel, self.rank = kernel, rank

    def forward(self, column: Tensor, row: Tensor) -> Tensor:
        return torch.einsum("oira,oirb->oiab", column, row)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Draw both so that kernels have the variance of He et al., 2 / fan-in."""
        variance = 2 / (weight.shape[1] * self.kernel**2) / self.rank
        column, row = (
            weight.new_empty(*weight.shape[:2], self.rank, self.kernel).normal_(std=variance**0.25) for _ in range(2)
        )
        return column, row


def make(shape: tuple[int, ...], rank: int = 1) -> nn.Module:
    """Return one-way filters for a weight of this shape."""
    return OneWay(shape[-1], rank)
