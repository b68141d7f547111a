"""What blocks with attention share: the norms, the MLP, the two residuals, and how maps become tokens of heads.

The file of such a block has only its `Mixer`, which mixes positions.
"""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from lowparam.models.blocks.base import Block, Site
from lowparam.models.branches import embedding
from lowparam.models.layers import LayerNorm2d, Sum
from lowparam.models.make import Defaults, Make

__all__ = ["Mixer", "Select", "SharedDepthwise", "TransformerBlock", "divided", "head_widths", "heads_of", "map_of"]


class Mixer(nn.Module):
    """Reads several maps of a normed stream by one 1x1 convolution and mixes their positions.

    A subclass maps (N, C, H, W) to (N, inner, H, W) in ``forward``.

    Parameters
    ----------
    channels, inner : int
        C, and the channels of query, key and value.
    heads : int
        Heads, whose widths `head_widths` gives.
    make : Make
        Makes the convolutions, so that parts can change their kernels.
    """

    maps: ClassVar[int] = 3
    """Maps of ``inner`` channels that are read: query, key and value."""

    def __init__(self, channels: int, inner: int, heads: int, make: Make) -> None:
        super().__init__()
        self.read = make.pointwise(channels, self.maps * inner)


class TransformerBlock(Block):
    """x + PW(Mix(LN x)), then x + PW(GELU(PW(LN x))), both convolutions of the second with bias.

    A block that strides or widens begins with a dense 3x3 and a norm. Both shortcuts are inside, so a probe at S1 or S2
    acts on the output. Nothing depends on the size of the map. What attention reads is as wide as the stream, but is
    rounded with the hidden width (a quarter of it), so that counts move in small steps.
    """

    defaults = Defaults(norm=LayerNorm2d, activation=nn.GELU, bias=True)
    expansion = 4.0
    shortcut = False
    heads: ClassVar[int] = 2
    mixer_type: ClassVar[type[Mixer]]

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, width = self.bound(make), out_channels
        self.embed = embedding(make, in_channels, width, stride)
        self.norm_mixer = make.norm(width)
        inner = max(1, round(hidden / self.expansion))
        self.mixer = self.mixer_type(width, inner, self.heads, make)
        self.write = make.pointwise(inner, width)
        self.scale_mixer = make.scale(width)
        self.norm_hidden = make.norm(width)
        self.expand = make.pointwise(width, hidden)
        self.act = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = make.pointwise(hidden, width)
        self.scale_hidden = make.scale(width)
        self.sum_mixer, self.sum_hidden = Sum(), Sum()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = self.sum_mixer(x, self.scale_mixer(self.write(self.mixer(self.norm_mixer(x)))))
        y = self.gate(self.act(self.expand(self.norm_hidden(x))))
        return self.sum_hidden(x, self.scale_hidden(self.project(y)))

    def inner_sites(self) -> list[Site]:
        """Return the sites; query, key and value are one map, and what attention writes is a projection."""
        gammas = [getattr(scale, "gamma", None) for scale in (self.scale_mixer, self.scale_hidden)]
        return [
            Site("expansion", self.mixer.read, self.mixer.read, name="read"),
            Site("spatial", self.mixer),
            Site("projection", self.scale_mixer, self.write, scale=gammas[0], name="write"),
            Site("expansion", self.act, self.expand),
            Site("projection", self.scale_hidden, self.project, scale=gammas[1]),
        ]


def head_widths(channels: int, heads: int) -> list[int]:
    """Return the channels of each head: equal where they can be, else fewer in the last one.

    >>> head_widths(12, 2), head_widths(13, 2), head_widths(1, 2)
    ([6, 6], [7, 6], [1])
    """
    width = -(-channels // heads)
    return [min(width, channels - start) for start in range(0, channels, width)]


def heads_of(maps: Tensor, heads: int) -> Tensor:
    """Split (N, C, H, W) into the tokens of heads, (N, heads, H W, d), d the widest of `head_widths`.

    A narrower head is filled up with zeros, which change no inner product, distance or norm.
    """
    n, channels, height, width = maps.shape
    widest = -(-channels // heads)
    filled = functional.pad(maps, (0, 0, 0, 0, 0, heads * widest - channels)) if channels % heads else maps
    return filled.reshape(n, heads, widest, height * width).transpose(2, 3)


def map_of(tokens: Tensor, like: Tensor) -> Tensor:
    """Return the tokens of heads, (N, heads, H W, d), as a map of the shape of another, (N, C, H, W)."""
    filled = tokens.transpose(2, 3).reshape(like.shape[0], -1, *like.shape[2:])
    return filled[:, : like.shape[1]]


def divided(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return sum_j (q_i . k_j) v_j over sum_j q_i . k_j + 1e-6 of positive tokens (N, heads, H W, d): linear attention.

    Computed from the d x d matrix of keys and values, so linear in the number of positions.
    """
    moment = key.transpose(2, 3) @ value / key.shape[2]
    return query @ moment / (query @ key.mean(2, keepdim=True).transpose(2, 3) + 1e-6)


class Select(nn.Module):
    """One of several maps that one convolution made: (N, count C, H, W) to (N, C, H, W).

    Parameters
    ----------
    drawn : str
        What the map is called in pictures.
    index, count : int
        The number of the map, from 0, and how many there are.
    """

    def __init__(self, drawn: str, index: int, count: int) -> None:
        super().__init__()
        self.drawn, self.index, self.count = drawn, index, count

    def forward(self, maps: Tensor) -> Tensor:
        return maps.chunk(self.count, dim=1)[self.index]


class SharedDepthwise(nn.Conv2d):
    """A depthwise 5x5 convolution with bias of (N, C, H, W) whose filters all heads share."""

    def __init__(self, channels: int, heads: int) -> None:
        widest = -(-channels // heads)
        super().__init__(widest, widest, 5, padding=2, groups=widest)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        filled = functional.pad(x, (0, 0, 0, 0, 0, self.heads * self.in_channels - channels))
        filtered = super().forward(filled.reshape(n * self.heads, self.in_channels, height, width))
        return filtered.reshape(filled.shape)[:, :channels]
