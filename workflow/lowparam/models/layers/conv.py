"""A convolution with what follows it, and the rounding of its widths."""

from collections.abc import Callable

from torch import nn

__all__ = ["ConvNormAct", "conv_norm_act", "largest_divisor", "make_divisible"]


def make_divisible(value: float, divisor: int = 8, minimum: int | None = None) -> int:
    """Round to a multiple of `divisor`, at least `minimum` and 90 % of `value`, as the code of the MobileNets does."""
    minimum = minimum or divisor
    rounded = max(minimum, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def largest_divisor(value: int, most: int) -> int:
    """Return the largest divisor of a number of channels that is at most `most`: heads or groups that fit any width.

    >>> largest_divisor(12, 8), largest_divisor(13, 8), largest_divisor(2, 8)
    (6, 1, 2)
    """
    return next(number for number in range(min(value, most), 0, -1) if value % number == 0)


class ConvNormAct(nn.Sequential):
    """A convolution, a norm and, unless it is None, an activation, named ``conv``, ``norm`` and ``act``."""

    def __init__(self, conv: nn.Module, norm: nn.Module, act: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm
        if act is not None:
            self.act = act


def conv_norm_act(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 1,
    *,
    stride: int = 1,
    activation: Callable[[], nn.Module] | None = None,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    bias: bool = False,
) -> ConvNormAct:
    """Build a dense convolution with padding k // 2, its norm and its activation: a stem, or the neck of a network."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=bias)
    return ConvNormAct(conv, norm(out_channels), activation() if activation is not None else None)
