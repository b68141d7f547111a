"""Gates of rows and columns from depthwise convolutions of 5 along each axis (ELA-T).

7 C parameters; the definition is in ``_ela.py``.
"""

from torch import nn

from lowparam.models.parts._ela import LocalAttention

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "gate"
LABEL = "ELA-T"
PAPER = "Xu and Wan 2024, arXiv 2403.01123"
EQUALS = "A quarter of its input where the convolution is zero. 7 C parameters."


def make(channels: int) -> nn.Module:
    """Return the gate of (N, channels, H, W)."""
    return LocalAttention(channels, kernel=5, width=1, groups=32)
