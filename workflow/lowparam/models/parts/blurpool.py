"""A blur with the filter (1, 2, 1) / 4 along each axis, and every second position, in place of striding."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "down"
LABEL = "blur pool"
PAPER = "Zhang 2019, arXiv 1904.11486, section 3"
EQUALS = "A depthwise 3x3 convolution with a fixed kernel. It has 0 parameters."


class BlurPool(nn.Module):
    """Convolve (N, C, H, W) with a binomial filter, reflected at the edges, at a stride; the filter does not learn."""

    filter: Tensor
    drawn = "blur pool"

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("filter", row.outer(row), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        # A map of one position has nothing to reflect.
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect" if min(x.shape[2:]) > 1 else "replicate")
        kernel = self.filter.to(x.dtype).expand(channels, 1, 3, 3)
        return F.conv2d(padded, kernel, stride=self.stride, groups=channels)

    def extra_repr(self) -> str:
        return f"{self.stride}"


def make(channels: int, stride: int) -> nn.Module:
    """Return the blur of (N, channels, H, W)."""
    return BlurPool(stride)
