"""Blocks by name, noise for them, and their parameters, for the tests of single blocks."""

import torch
from torch import Tensor, nn

from lowparam.models import blocks


def make_block(name: str, channels: int, after: int | None = None, stride: int = 1) -> nn.Module:
    """A block of float64 with seed 0, at the hidden width that it gives itself."""
    torch.manual_seed(0)
    block, after = blocks.find(name), after or channels
    return block(channels, after, stride=stride, hidden=round(block.hidden_width(channels, after))).double()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())
