"""Depthwise kernels with 1 added in the centre: x + D x (single intra-channel convolution)."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "single intra-channel convolution"
PAPER = "Wang, Liu and Foroosh 2017, arXiv 1608.04337; a reading, because only its abstract is public"
EQUALS = "The plain layer with another start and another centre of its decay. It learns as many values."


class Residual(nn.Module):
    """Add the identity to a depthwise kernel."""

    def forward(self, learned: Tensor) -> Tensor:
        centre = torch.zeros_like(learned)
        centre[:, :, learned.shape[2] // 2, learned.shape[3] // 2] = 1
        return learned + centre

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Begin at the initial weight of the plain layer, next to the identity."""
        return weight


def make(shape: tuple[int, ...]) -> nn.Module | None:
    """Return the residual form of a depthwise weight; None for a dense one."""
    return Residual() if shape[1] == 1 else None
