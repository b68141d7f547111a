"""Spatial kernels as sums of products of one vector for each axis (CP form)."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "CP form"
PAPER = "Phan et al. 2020, arXiv 2008.05441, section 2"
EQUALS = (
    "1x1, depthwise k x k and 1x1 convolution of R channels with nothing in between. It learns R (Ci + k^2 + Co) "
    "values, R (k^2 + C) for a depthwise kernel, half as many as the plain kernel by default."
)


class CP(nn.Module):
    """Sum R products of a vector over outputs, one over inputs and one over positions.

    A depthwise kernel has no axis of inputs: each is a mixture of R filters that all channels share. The correction of
    the paper, which keeps the terms from growing and cancelling, is left out.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weight, (Co, Ci, k, k).
    rank : int
        Number of terms R.
    """

    def __init__(self, shape: tuple[int, ...], rank: int) -> None:
        super().__init__()
        self.shape, self.rank = shape, rank

    def forward(self, out: Tensor, position: Tensor, inputs: Tensor | None = None) -> Tensor:
        if inputs is None:
            return (out @ position.T).view(self.shape)
        return torch.einsum("or,ir,pr->oip", out, inputs, position).view(self.shape)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Draw directions, with equal norms on all axes, so that kernels vary as much as the initial weight."""
        out, inputs, *kernel = self.shape
        axes = [out, kernel[0] * kernel[1]] + ([inputs] if inputs > 1 else [])
        norm = (weight.detach().square().sum() / self.rank) ** (0.5 / len(axes))
        drawn = [weight.new_empty(axis, self.rank).normal_() for axis in axes]
        return tuple(norm * vectors / vectors.norm(dim=0) for vectors in drawn)


def make(shape: tuple[int, ...], rank: int | None = None) -> nn.Module:
    """Return the CP form of a weight of this shape.

    The paper chooses ranks by compression of a trained network. From scratch we take half the values of the kernel.
    """
    out, inputs, *kernel = shape
    positions = kernel[0] * kernel[1]
    learned = out + positions + (inputs if inputs > 1 else 0)
    return CP(shape, rank or max(1, round(out * inputs * positions / learned / 2)))
