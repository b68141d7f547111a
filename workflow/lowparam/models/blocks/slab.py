"""SLAB's block, simplified linear attention (Guo et al. 2024, arXiv 2405.11582, section 3.2; slab_deit.py).

The paper's other idea, a norm that turns from layer norm into batch norm while training, is the part `prepbn`: the
paper's pair is `slab+prepbn`. Its networks add a table of positions to the keys, which does not exist here, so there
are no published networks, and position comes from the convolution of the values. A token is a position of the map.
"""

from torch import Tensor, nn

from lowparam.models.blocks._transformer import (
    Mixer,
    Select,
    SharedDepthwise,
    TransformerBlock,
    divided,
    heads_of,
    map_of,
)
from lowparam.models.layers import Sum
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "SLABBlock", "SimplifiedAttention"]


class SimplifiedAttention(nn.Module):
    """Linear attention between rectified queries and keys (equation 10), from query, key and value (N, 3 C, H, W).

    Position j has in the output at i the weight ReLU(q_i) . ReLU(k_j) over its sum for all j. Linear in the number of
    positions.

    Parameters
    ----------
    heads : int
        The channels are those of all heads, one after the other.
    """

    drawn = "simplified attention"

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, maps: Tensor) -> Tensor:
        query, key, value = maps.chunk(3, dim=1)
        return map_of(divided(*(heads_of(each, self.heads) for each in (query.relu(), key.relu(), value))), value)


class SimplifiedMixer(Mixer):
    """The sum of simplified attention and of the values under a depthwise convolution."""

    def __init__(self, channels: int, inner: int, heads: int, make: Make) -> None:
        super().__init__(channels, inner, heads, make)
        self.attention = SimplifiedAttention(heads)
        self.value = Select("value", 2, 3)
        self.depthwise = SharedDepthwise(inner, heads)
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.read(x)
        return self.sum(self.attention(maps), self.depthwise(self.value(maps)))


class SLABBlock(TransformerBlock):
    """x + PW(A(PW LN x) + DW 5x5 (v)), then x + F(LN x), with A simplified linear attention and F a hidden branch.

    A weighs key j for query i by ReLU(q_i) . ReLU(k_j), divided by the sum over j; a query without a positive channel
    reads nothing. v is the values, and both heads share the filters of the convolution. F is PW to the hidden width,
    GELU, PW. A block that strides or widens begins with a dense 3x3 and a norm. Both shortcuts are inside, so a probe
    at S1 or S2 acts on the output. It differs from `flatten` in that queries and keys are not focused.
    """

    mixer_type = SimplifiedMixer


ARCHITECTURES = {"slab": SLABBlock}
LABELS = {"slab": "SLAB"}
