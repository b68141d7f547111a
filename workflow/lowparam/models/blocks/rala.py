"""RALA's block, rank-augmented linear attention (Fan et al. 2024, arXiv 2411.07635; the authors' RALA.py).

A smaller form of the paper's block: without the depthwise 3x3 on the stream, that in the hidden branch, layer scales of
1, and the rotation of queries and keys by position, since position comes from the convolution of the values. The
paper's networks have this attention in the first two of four stages; here it is in all. A token is a position of the
map.
"""

from torch import Tensor, nn
from torch.nn import functional

from lowparam.models.blocks._transformer import Mixer, Select, TransformerBlock, divided, heads_of, map_of
from lowparam.models.layers import Sum
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "Modulation", "RALABlock", "RankAugmentedAttention", "importance"]


def importance(query: Tensor, key: Tensor) -> Tensor:
    """Return the factor alpha of each key, (N, heads, H W, 1), from tokens (N, heads, H W, d); they sum to H W.

    They are a softmax over positions of the key's inner product with the mean query, over the square root of d.
    """
    mean = query.mean(2, keepdim=True)
    return key.shape[2] * (key @ mean.transpose(2, 3) * key.shape[3] ** -0.5).softmax(2)


class RankAugmentedAttention(nn.Module):
    """Linear attention whose keys weigh unequally (section 3.2), from query, key and value, first in (N, 4 C, H, W).

    Position j has in the output at i the weight alpha_j q_i . k_j over its sum for all j, with q and k positive by
    ELU + 1 and alpha of `importance`. Linear in the number of positions.

    Parameters
    ----------
    heads : int
        The channels are those of all heads, one after the other.
    """

    drawn = "RALA"

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, maps: Tensor) -> Tensor:
        query, key, value, _ = maps.chunk(4, dim=1)
        query, key = functional.elu(query) + 1, functional.elu(key) + 1
        query, key, tokens = (heads_of(each, self.heads) for each in (query, key, value))
        return map_of(divided(query, importance(query, key) * key, tokens), value)


class Modulation(nn.Module):
    """A map (N, C, H, W) times the last C channels of (N, 4 C, H, W)."""

    drawn = "× fourth map"

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        return x * maps.chunk(4, dim=1)[3]


class RankAugmentedMixer(Mixer):
    """The sum of attention and of the values under a depthwise convolution, times a fourth map."""

    maps = 4

    def __init__(self, channels: int, inner: int, heads: int, make: Make) -> None:
        super().__init__(channels, inner, heads, make)
        self.attention = RankAugmentedAttention(heads)
        self.value = Select("value", 2, 4)
        self.depthwise = make.spatial(inner, 5)
        self.sum = Sum()
        self.modulation = Modulation()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.read(x)
        return self.modulation(self.sum(self.attention(maps), self.depthwise(self.value(maps))), maps)


class RALABlock(TransformerBlock):
    """x + PW(o * (A(q, k, v) + DW 5x5 (v))) with q, k, v, o = PW LN x, then x + F(LN x); F is a hidden branch.

    A weighs key j for query i by alpha_j q_i . k_j, divided by the sum over j, with positive queries and keys (ELU +
    1); alpha is a softmax over positions of q . k_j for the mean query q, times their number. Two heads, the second
    narrower by one channel where the width is odd. F is PW to the hidden width, GELU, PW. A block that strides or
    widens begins with a dense 3x3 and a norm. Both shortcuts are inside, so a probe at S1 or S2 acts on the output. The
    product with o is read as what mixes positions (`spatial`).
    """

    mixer_type = RankAugmentedMixer


ARCHITECTURES = {"rala": RALABlock}
