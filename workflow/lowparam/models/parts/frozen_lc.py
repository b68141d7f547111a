"""Learned linear combinations of frozen random filters in the spatial convolutions (LC block)."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "combinations of frozen filters"
PAPER = "Gavrikov and Keuper 2023, arXiv 2301.11360, section 4"
EQUALS = (
    "A frozen kernel where one filter a channel has the factor 1. It learns E Co^2 values, E C for a depthwise kernel; "
    "E Co Ci k^2 are frozen."
)


class Combination(nn.Module):
    """Write each kernel as a learned sum over frozen random filters.

    The paper convolves with the E Co frozen filters and mixes the results by a 1x1 convolution, with nothing in
    between. That is one convolution with the sums of the filters, which is what is computed (and counted) here.
    A depthwise kernel mixes the E filters of its own channel.

    Parameters
    ----------
    expansion : int
        Frozen filters E for each output channel.
    """

    def __init__(self, expansion: int) -> None:
        super().__init__()
        self.expansion = expansion

    def forward(self, mixing: Tensor) -> Tensor:
        if self.filters.shape[1] == 1:  # depthwise
            return torch.einsum("oe,oeikl->oikl", mixing, self.filters.unflatten(0, (-1, self.expansion)))
        return torch.einsum("om,mikl->oikl", mixing, self.filters)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Draw filters with the standard deviation of the initial weight, and the factors of a 1x1 convolution."""
        out, inputs = weight.shape[:2]
        filters = torch.randn(out, self.expansion, *weight.shape[1:], device=weight.device, dtype=weight.dtype)
        self.register_buffer("filters", (filters * weight.detach().std()).flatten(0, 1))  # (Co E, Ci, k, k)
        read = self.expansion * (1 if inputs == 1 else out)
        return torch.empty(out, read, device=weight.device, dtype=weight.dtype).uniform_(-1, 1) * read**-0.5

    def stored_bits(self, weight: Tensor, bits: int) -> int:
        """Return the bits of the weight, whose sums are taken before it is stored."""
        return bits * weight.numel()


def make(shape: tuple[int, ...], expansion: int = 8) -> nn.Module:
    """Return learned combinations for a weight of this shape.

    At E = 8, a network of the paper learns about as many values as the plain one.
    """
    return Combination(expansion)
