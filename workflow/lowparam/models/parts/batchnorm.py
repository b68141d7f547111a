"""Batch norm in place of every norm of a block."""

from torch import nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "norm"
LABEL = "batch norm"
PAPER = "Ioffe and Szegedy 2015, arXiv 1502.03167"
EQUALS = "In eval mode, an affine map of each channel."


def make(channels: int) -> nn.Module:
    """Return a batch norm of (N, channels, H, W)."""
    return nn.BatchNorm2d(channels)
