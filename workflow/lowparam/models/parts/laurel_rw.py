"""Learned weights of shortcut and branch, a f(x) + b x (LAuReL-RW).

Section 2.1 of the paper, which found unbounded weights bad and takes a softmax. 2 parameters a shortcut.
"""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "ResidualWeights", "make"]

SLOT = "shortcut"
LABEL = "LAuReL, weights"
PAPER = "Menghani, Kumar and Kumar 2025, arXiv 2411.07501, section 2.1"
EQUALS = "The block itself at its start, where both weights are 1. 2 parameters a shortcut."


class ResidualWeights(nn.Module):
    """Add x and f(x) with the weights 2 softmax(p), p learned.

    The paper does not state how they begin. Here p begins at 0, and the factor 2 makes that the plain sum.
    """

    drawn = "+"

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        of_branch, of_input = 2 * self.logits.softmax(0)
        return of_branch * y + of_input * x


def make(channels: int) -> nn.Module:
    """Return the weighted sum of two (N, channels, H, W)."""
    return ResidualWeights()
