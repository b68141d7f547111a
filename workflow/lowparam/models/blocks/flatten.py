"""FLatten's block, focused linear attention (Han et al. 2023, arXiv 2308.00442; the authors' models/flatten_pvt.py).

The paper's networks add a table of positions to the image and to the keys of each block; neither exists here, so there
are no published networks, and position comes from the convolution of the values. A token is a position of the map.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

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

__all__ = ["ARCHITECTURES", "FLattenBlock", "FocusedAttention", "focus"]

POWER, EPSILON = 3, 1e-6


def focus(u: Tensor, power: int = POWER) -> Tensor:
    """Return ||u|| u^p / ||u^p|| of a positive map (N, C, H, W), norms over channels: as long, but more one-sided."""
    raised = u**power
    length, other = (torch.linalg.vector_norm(each, dim=1, keepdim=True) for each in (u, raised))
    return raised * (length / other)


class FocusedAttention(nn.Module):
    """Linear attention between focused queries and keys (equation 6), from query, key and value (N, 3 C, H, W).

    Position j has in the output at i the weight f(q_i) . f(k_j) over its sum for all j, with f the `focus` of
    (ReLU + 1e-6) / softplus(s); s is learned, begins at 0 and is one a channel for queries and keys. The norms in f are
    over all C channels, as in the authors' code, the inner products over those of a head. Linear in the number of
    positions.

    Parameters
    ----------
    channels : int
        C.
    heads : int
        The channels are those of all heads, one after the other.
    """

    drawn = "focused attention"

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.spread = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        query, key, value = maps.chunk(3, dim=1)
        query, key = (focus((each.relu() + EPSILON) / functional.softplus(self.spread)) for each in (query, key))
        return map_of(divided(*(heads_of(each, self.heads) for each in (query, key, value))), value)


class FocusedMixer(Mixer):
    """The sum of focused attention and of the values under a depthwise convolution."""

    def __init__(self, channels: int, inner: int, heads: int, make: Make) -> None:
        super().__init__(channels, inner, heads, make)
        self.attention = FocusedAttention(inner, heads)
        self.value = Select("value", 2, 3)
        self.depthwise = SharedDepthwise(inner, heads)
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.read(x)
        return self.sum(self.attention(maps), self.depthwise(self.value(maps)))


class FLattenBlock(TransformerBlock):
    """x + PW(A(PW LN x) + DW 5x5 (v)), then x + F(LN x), with A focused linear attention and F a hidden branch.

    A weighs key j for query i by f(q_i) . f(k_j), divided by the sum over j; f turns a positive vector u to u^3 and
    keeps its length. v is the values, and both heads share the filters of the convolution. F is PW to the hidden width,
    GELU, PW. A block that strides or widens begins with a dense 3x3 and a norm. Both shortcuts are inside, so a probe
    at S1 or S2 acts on the output.
    """

    mixer_type = FocusedMixer


ARCHITECTURES = {"flatten": FLattenBlock}
LABELS = {"flatten": "FLatten"}
