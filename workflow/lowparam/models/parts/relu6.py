"""min(max(x, 0), 6) in place of every activation of a block."""

from torch import nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "activation"
LABEL = "ReLU6"
PAPER = "Krizhevsky 2010; Howard et al. 2017, arXiv 1704.04861"
EQUALS = "ReLU where no value is above 6."


def make(channels: int) -> nn.Module:
    """Return a ReLU6."""
    return nn.ReLU6()
