"""InLine's block, injective linear attention (Han et al. 2024, arXiv 2412.06590; the authors' models/inline_pvt.py).

The paper's networks have a table of positions, which the skeleton here has not, so there are no published networks. A
token is a position of the map.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowparam.models.blocks._transformer import Mixer, TransformerBlock, head_widths, heads_of, map_of
from lowparam.models.layers import Sum
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "GeneratedFilter", "InLineBlock", "InLineLocalBlock", "InjectiveAttention"]


class InjectiveAttention(nn.Module):
    """Linear attention that subtracts where others divide (equation 5), from query, key and value (N, 3 C, H, W).

    Per head, position j has in the output at i the weight t / N q_i . (k_j - mean k) + 1 / N, with t = d^-1/2 and N
    positions: weights sum to 1 and may be negative, and different queries have different weights. A bias of the keys
    has no effect. Computed from the d x d matrix of keys and values, so linear in the number of positions.

    Parameters
    ----------
    heads : int
        The channels are those of all heads, one after the other.
    """

    drawn = "InLine attention"

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, maps: Tensor) -> Tensor:
        query, key, value = (heads_of(each, self.heads) for each in maps.chunk(3, 1))
        key = key - key.mean(2, keepdim=True)
        moment = key.transpose(2, 3) @ value / key.shape[2]
        return map_of(query @ moment * key.shape[3] ** -0.5 + value.mean(2, keepdim=True), maps[:, ::3])


class GeneratedFilter(nn.Module):
    """A depthwise 3x3 convolution of the values of (N, 3 C, H, W) whose filters differ from image to image.

    The filters of a head come from its share of the channels in the mean over positions of what attention reads, by two
    1x1 convolutions with GELU between.

    Parameters
    ----------
    channels, inner : int
        Channels of what attention reads, and C.
    heads : int
        As in attention.
    """

    drawn = "3×3 generated filter"

    def __init__(self, channels: int, inner: int, heads: int) -> None:
        super().__init__()
        self.widths = head_widths(channels, heads)
        self.generate = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, width, 1), nn.GELU(), nn.Conv2d(width, 9 * width, 1))
            for before, width in zip(self.widths, head_widths(inner, heads), strict=True)
        )

    def filters(self, x: Tensor) -> Tensor:
        """Return the filters of each image, (N, 9 C, 1, 1), from what attention reads, (N, C, H, W)."""
        means = x.mean((2, 3), keepdim=True).split(self.widths, 1)
        return torch.cat([generate(mean) for generate, mean in zip(self.generate, means, strict=True)], 1)

    def forward(self, maps: Tensor, x: Tensor) -> Tensor:
        value = maps.chunk(3, dim=1)[2]
        n, channels, height, width = value.shape
        together = value.reshape(1, n * channels, height, width)  # one image, so that each map has its own filter
        filters = self.filters(x).reshape(n * channels, 1, 3, 3)
        return functional.conv2d(together, filters, padding=1, groups=n * channels).reshape(value.shape)


class InjectiveMixer(Mixer):
    """Injective attention alone."""

    def __init__(self, channels: int, inner: int, heads: int, make: Make) -> None:
        super().__init__(channels, inner, heads, make)
        self.attention = InjectiveAttention(heads)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(self.read(x))


class InjectiveLocalMixer(InjectiveMixer):
    """The sum of injective attention and of the values under generated filters."""

    def __init__(self, channels: int, inner: int, heads: int, make: Make) -> None:
        super().__init__(channels, inner, heads, make)
        self.filter = GeneratedFilter(channels, inner, heads)
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.read(x)
        return self.sum(self.attention(maps), self.filter(maps, x))


class InLineBlock(TransformerBlock):
    """x + PW(A(PW LN x)), then x + F(LN x), with A injective linear attention and F a hidden branch.

    A gives key j for query i the weight q_i . (k_j - mean k) / (N sqrt d) + 1 / N, so that the weights of a query sum
    to 1 without a division. Two heads, the second narrower by one channel where the width is odd. F is PW to the hidden
    width, GELU, PW. A block that strides or widens begins with a dense 3x3 and a norm. Both shortcuts are inside, so a
    probe at S1 or S2 acts on the output. Without the paper's local term.
    """

    mixer_type = InjectiveMixer


class InLineLocalBlock(TransformerBlock):
    """As `inline` with the paper's local term: to attention are added the values under 3x3 filters of this image.

    Two 1x1 convolutions in as many groups as heads, with GELU between, make one filter a channel from the mean over
    positions of what attention reads.
    """

    mixer_type = InjectiveLocalMixer


ARCHITECTURES = {"inline": InLineBlock, "inline_local": InLineLocalBlock}
