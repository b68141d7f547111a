"""x ReLU6(x + 3) / 6 in place of every activation of a block."""

from torch import nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "activation"
LABEL = "h-swish"
PAPER = "Howard et al. 2019, arXiv 1905.02244"
EQUALS = "The identity above 3, zero below -3."


def make(channels: int) -> nn.Module:
    """Return a h-swish."""
    return nn.Hardswish()
