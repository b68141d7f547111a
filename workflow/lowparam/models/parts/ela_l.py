"""Gates of rows and columns from convolutions of 7 in groups of 8 channels along each axis (ELA-L).

58 C parameters where 8 divides C; the definition is in ``_ela.py``.
"""

from torch import nn

from lowparam.models.parts._ela import LocalAttention

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "gate"
LABEL = "ELA-L"
PAPER = "Xu and Wan 2024, arXiv 2403.01123"
EQUALS = "A quarter of its input where the convolution is zero. 58 C parameters where 8 divides C."


def make(channels: int) -> nn.Module:
    """Return the gate of (N, channels, H, W)."""
    return LocalAttention(channels, kernel=7, width=8, groups=16)
