"""max(x, 0) in place of every activation of a block."""

from torch import nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "activation"
LABEL = "ReLU"
PAPER = "Nair and Hinton 2010, ICML"
EQUALS = "The identity on positive maps."


def make(channels: int) -> nn.Module:
    """Return a ReLU."""
    return nn.ReLU()
