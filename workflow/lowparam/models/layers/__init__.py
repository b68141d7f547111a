"""Layers that several blocks share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = [
    "ConvNormAct",
    "LayerNorm2d",
    "LayerScale",
    "Product",
    "SqueezeExcite",
    "Sum",
    "kaiming",
    "make_divisible",
    "truncated_normal",
]


def make_divisible(value: float, divisor: int = 8, minimum: int | None = None) -> int:
    """Round to a multiple of `divisor`, never below 90 % of `value` (the rule of the MobileNet papers' code)."""
    minimum = minimum or divisor
    rounded = max(minimum, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class ConvNormAct(nn.Sequential):
    """Convolution with padding k // 2, batch norm, and an activation unless it is None.

    The parts are called ``conv``, ``norm`` and ``act``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: Callable[[], nn.Module] | None = None,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=bias
        )
        self.norm = norm(out_channels)
        if activation is not None:
            self.act = activation()


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of (N, C, H, W), at each position by itself (ConvNeXt's eps of 1e-6)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__(channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LayerScale(nn.Module):
    """A learned factor per channel on a residual branch (Touvron et al. 2021), here for (N, C, H, W)."""

    def __init__(self, channels: int, initial: float = 1e-6) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels, 1, 1), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Product(nn.Module):
    """x * y as a module, so that the product can be read like any layer's output."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


class Sum(nn.Module):
    """x + y as a module, so that the sum can be read like any layer's output."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class SqueezeExcite(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018): gate each channel by what the pooled channels say together."""

    def __init__(
        self,
        channels: int,
        squeezed: int,
        *,
        activation: Callable[[], nn.Module] = nn.ReLU,
        gate: Callable[[], nn.Module] = nn.Hardsigmoid,
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = activation()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.expand(self.act(self.reduce(pooled))))


def kaiming(module: nn.Module) -> None:
    """Initialise like the MobileNets: convolutions normal by fan-out (He et al. 2015), linear layers normal 0.01."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def truncated_normal(module: nn.Module) -> None:
    """Initialise like ConvNeXt: convolutions and linear layers truncated normal 0.02, biases zero."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
