"""A learned map of low rank on the shortcut, f(x) + x + B A x (LAuReL-LR).

Section 2.2 of the paper. 2 r C parameters a shortcut of C channels, r = max(1, C // 16).
"""

from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "LowRank", "make"]

SLOT = "shortcut"
LABEL = "LAuReL, low rank"
PAPER = "Menghani, Kumar and Kumar 2025, arXiv 2411.07501, section 2.2"
EQUALS = (
    "The block itself where B is zero, as at its start; any linear shortcut at rank C. 2 r C parameters a shortcut."
)


class LowRank(nn.Module):
    """Map (N, C, H, W) to x + B A x by two 1x1 convolutions, C to r and r to C, with nothing in between.

    The paper does not state how they begin. Here B begins at zero, so that the shortcut is plain, and A as He et al.

    Parameters
    ----------
    channels, rank : int
        C and r.
    """

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, rank, 1, bias=False)  # A
        self.up = nn.Conv2d(rank, channels, 1, bias=False)  # B
        nn.init.kaiming_normal_(self.down.weight)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(self.down(x))


class LowRankShortcut(nn.Module):
    """Add f(x) to the input after a low-rank map."""

    drawn = "+"

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        self.shortcut = LowRank(channels, rank)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return y + self.shortcut(x)


def make(channels: int, rank: int | None = None) -> nn.Module:
    """Return the sum of two (N, channels, H, W).

    The paper has r = 16 for 256 to 2048 channels; here r is C / 16, its largest share.
    """
    return LowRankShortcut(channels, rank or max(1, channels // 16))
