"""Attention before StarNet's block, an open question about the star operation: a reading.

A public summary of "Rewrite the Stars" (Ma et al. 2024, arXiv 2403.19967) supposes that hybrids of star and
self-attention are more robust, without a form. `starattention_sum` adds the branches in place of multiplying them.
"""

from torch import Tensor, nn
from torch.nn import functional

from lowparam.models.blocks._transformer import heads_of, map_of
from lowparam.models.blocks.base import Site
from lowparam.models.blocks.starnet import StarBlock
from lowparam.models.layers import LayerNorm2d, Sum

__all__ = ["ARCHITECTURES", "SelfAttention", "StarAttention", "SumAttention"]

HEADS = 2


class SelfAttention(nn.Module):
    """softmax(q k^T / sqrt(d)) v for each head, from query, key and value (N, 3 C, H, W) to (N, C, H, W).

    d is the width of the wider head. Quadratic in the number of positions, whose order does not matter.

    Parameters
    ----------
    heads : int
        The channels are those of all heads, one after the other.
    """

    drawn = "self-attention"

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, maps: Tensor) -> Tensor:
        query, key, value = maps.chunk(3, dim=1)
        tokens = [heads_of(each, self.heads) for each in (query, key, value)]
        return map_of(functional.scaled_dot_product_attention(*tokens), value)


class StarAttention(StarBlock):
    """x + PW(A(PW LN x)) with self-attention A, then `starnet`'s block: its shortcut is inside.

    Both heads of A are half as wide as the stream, the second narrower by one channel where the width is odd. Where the
    block strides or widens, attention is before that, and only attention has a shortcut. A probe at S1 or S2 acts on
    the output.
    """

    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, keeps = self.bound(make), stride == 1 and in_channels == out_channels
        self.norm_attention = LayerNorm2d(in_channels)
        self.read = make.pointwise(in_channels, 3 * in_channels)
        self.attention = SelfAttention(HEADS)
        self.write = make.pointwise(in_channels, in_channels)
        self.sum_attention = Sum()
        self.join_after = make.join(out_channels) if keeps else None

    def branch(self, x: Tensor) -> Tensor:
        x = self.sum_attention(x, self.write(self.attention(self.read(self.norm_attention(x)))))
        y = super().branch(x)
        return y if self.join_after is None else self.join_after(x, y)

    def inner_sites(self) -> list[Site]:
        """Return the sites of attention, its query, key and value as one map, and those of `starnet`."""
        return [
            Site("expansion", self.read, self.read, name="read"),
            Site("spatial", self.attention, name="attention"),
            Site("projection", self.write, self.write, name="write"),
            *super().inner_sites(),
        ]


class SumAttention(StarAttention):
    """As `starattention` with ReLU6(first) + second."""

    combine = Sum


ARCHITECTURES = {"starattention": StarAttention, "starattention_sum": SumAttention}
LABELS = {"starattention": "attention and star", "starattention_sum": "attention and sum"}
