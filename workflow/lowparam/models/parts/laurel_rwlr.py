"""Learned weights of branch and shortcut, and a map of low rank on the shortcut: a f(x) + b (x + B A x) (LAuReL-RW+LR).

Section 2.4 of the paper: ``laurel_rw`` and ``laurel_lr`` together. 2 r C + 2 parameters a shortcut of C channels.
"""

from torch import Tensor, nn

from lowparam.models.parts.laurel_lr import LowRank
from lowparam.models.parts.laurel_rw import ResidualWeights

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "shortcut"
LABEL = "LAuReL, weights and low rank"
PAPER = "Menghani, Kumar and Kumar 2025, arXiv 2411.07501, section 2.4"
EQUALS = "laurel_lr where the weights are 1, laurel_rw where B is zero; the block itself at its start."


class WeightedLowRank(ResidualWeights):
    """Add f(x) and the input after a low-rank map, with learned weights."""

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        self.shortcut = LowRank(channels, rank)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return super().forward(self.shortcut(x), y)


def make(channels: int, rank: int | None = None) -> nn.Module:
    """Return the weighted sum of two (N, channels, H, W); the rank is as in ``laurel_lr``."""
    return WeightedLowRank(channels, rank or max(1, channels // 16))
