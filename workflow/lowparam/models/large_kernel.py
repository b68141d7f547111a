"""Large kernels with smaller ones next to them while training, which add up to one kernel after it."""

from collections.abc import Sequence
from functools import cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, foldable
from lowparam.models.layers import ConvNormAct
from lowparam.models.make import Make

__all__ = ["LargeKernelBlock", "ReparamConv", "sized"]


class ReparamConv(nn.Module):
    """BN(DW k x k (x)) + the sum of BN(DW q x q, dilation r (x)) over the branches (q, r), on (N, C, H, W).

    In eval mode all of it is one depthwise convolution, see `merged`. The branches are learned, so that a budget counts
    them, and costs are those of the sum.

    Parameters
    ----------
    make : Make
        Makes the large convolution and the norms.
    channels, kernel : int
        C and k.
    branches : sequence of pairs of int
        Kernel and dilation of each branch, which reaches no farther than the large kernel.
    """

    drawn = "large + smaller depthwise kernels"

    def __init__(self, make: Make, channels: int, kernel: int, branches: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.large = ConvNormAct(make.spatial(channels, kernel, bias=False), make.norm(channels))
        self.small = nn.ModuleList()
        for size, dilation in branches:
            reach = dilation * (size // 2)
            conv = nn.Conv2d(channels, channels, size, 1, reach, dilation, groups=channels, bias=False)
            self.small.append(ConvNormAct(conv, make.norm(channels)))

    def forward(self, x: Tensor) -> Tensor:
        y = self.large(x)
        for branch in self.small:
            y = y + branch(x)
        return y

    def merged(self) -> nn.Conv2d:
        """Return the one convolution that computes what this does in eval mode.

        Raises
        ------
        TypeError
            If a norm depends on the image, as layer norm does.
        """
        kernel, bias = _folded(self.large)
        for branch in self.small:
            weight, shift = _folded(branch)
            margin = (kernel.shape[-1] - weight.shape[-1]) // 2
            kernel, bias = kernel + F.pad(weight, (margin,) * 4), bias + shift
        channels, size = kernel.shape[0], kernel.shape[-1]
        conv = nn.Conv2d(channels, channels, size, 1, size // 2, groups=channels).to(kernel)
        with torch.no_grad():
            conv.weight.copy_(kernel)
            conv.bias.copy_(bias)
        return conv


def _folded(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the kernel, without dilation, and the bias of a convolution and its batch norm in eval mode."""
    conv, norm = layer.conv, layer.norm
    if foldable(norm) is None:
        raise TypeError(f"a kernel does not merge with {type(norm).__name__}, which is no linear map in eval mode")
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    size, dilation = conv.kernel_size[0], conv.dilation[0]
    spread = conv.weight.new_zeros(*conv.weight.shape[:2], *[dilation * (size - 1) + 1] * 2)
    spread[..., ::dilation, ::dilation] = conv.weight
    return spread * gain[:, None, None, None], norm.bias - norm.running_mean * gain


class LargeKernelBlock(Block):
    """A block whose kernel is smaller in later stages, where maps are smaller.

    Of a kernel of more than 2 H - 1 taps a side the outer ones read only padding in a map of height H, and a budget
    counts them all the same. At 32 pixels maps are 16, 8 and 4 high, so that all taps are of use; at 8 pixels, where
    maps are half as high, the outer ones of the last two stages are not.
    """

    kernel_size: ClassVar[int] = 7
    """Of the block of the last stage, and of one that is made by itself."""
    by_stages_left: ClassVar[tuple[int, ...]] = (7, 9, 13)
    """Kernel of the last stage, of the one before it, and of all that are before these."""

    @classmethod
    def by_stage(cls, stages: int) -> list[type[Block]]:
        kernels = cls.by_stages_left
        return [sized(cls, kernels[min(left, len(kernels) - 1)]) for left in reversed(range(stages))]


@cache
def sized(block: type[LargeKernelBlock], kernel: int) -> type[LargeKernelBlock]:
    """Return a block with another large kernel."""
    return type(block.__name__, (block,), {"kernel_size": kernel, "__doc__": block.__doc__})
