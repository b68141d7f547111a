"""Layers that join two maps, so that the joined map can be read like any layer's output."""

from torch import Tensor, nn

__all__ = ["Product", "Sum"]


class Product(nn.Module):
    """x * y."""

    drawn = "×"

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


class Sum(nn.Module):
    """x + y."""

    drawn = "+"

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y
