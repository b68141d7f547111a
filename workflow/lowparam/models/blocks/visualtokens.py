"""Semantic visual tokens (Wu et al. 2020, arXiv 2006.03677, section 3), in a reading: no code of the authors is known.

Where public codes differ, it is as in AndreyBocharnikov/Visual-Transformers: no biases, no norms, keys of half the
width of a token, inner products over the root of the width. The paper has several modules in a row, whose tokens are
made from those before; a block of the skeleton passes a map on, so that every block makes its tokens from the map.
"""

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.blocks.mobilenetv2 import InvertedResidual
from lowparam.models.branches import embedding
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "Projector", "TokenTransformer", "Tokenizer", "VisualTokensBlock"]

TOKENS = 8


class Tokenizer(nn.Module):
    """Means of the values over all positions, with weights of each token: (N, C, H, W) to tokens (N, D, L, 1).

    The weights of a token are a softmax over positions of a 1x1 convolution without bias.

    Parameters
    ----------
    make : Make
        Makes the 1x1 convolutions.
    channels, width : int
        C and D.
    """

    drawn = f"{TOKENS} tokens"

    def __init__(self, make: Make, channels: int, width: int) -> None:
        super().__init__()
        self.place = make.pointwise(channels, TOKENS)
        self.value = make.pointwise(channels, width)

    def forward(self, x: Tensor) -> Tensor:
        places = (self.place(x) * x.shape[1] ** -0.5).flatten(2).softmax(2)
        return (self.value(x).flatten(2) @ places.transpose(1, 2))[..., None]


class TokenTransformer(nn.Module):
    """t' = t + attention between tokens, then t' + W2 ReLU(W1 t'), on tokens (N, D, L, 1); attention has one head.

    Parameters
    ----------
    make : Make
        Makes the 1x1 convolutions, of tokens, and the activation.
    width : int
        D.
    """

    drawn = "transformer of tokens"

    def __init__(self, make: Make, width: int) -> None:
        super().__init__()
        self.key, self.query = (make.pointwise(width, max(1, width // 2)) for _ in range(2))
        self.value = make.pointwise(width, width)
        self.first, self.act, self.second = (
            make.pointwise(width, width),
            make.activation(width),
            make.pointwise(width, width),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        key, query, value = (layer(tokens).flatten(2) for layer in (self.key, self.query, self.value))
        weights = (key.transpose(1, 2) @ query * key.shape[1] ** -0.5).softmax(1)
        tokens = tokens + (value @ weights)[..., None]
        return tokens + self.second(self.act(self.first(tokens)))


class Projector(nn.Module):
    """Tokens (N, D, L, 1) at each position of x (N, C, H, W), weighed by how the position fits their keys.

    Parameters
    ----------
    make : Make
        Makes the 1x1 convolutions, of the map and of tokens.
    channels, width : int
        C and D.
    """

    drawn = "tokens at each position"

    def __init__(self, make: Make, channels: int, width: int) -> None:
        super().__init__()
        self.query = make.pointwise(channels, channels)
        self.key, self.value = make.pointwise(width, channels), make.pointwise(width, channels)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        query, key, value = self.query(x).flatten(2), self.key(tokens).flatten(2), self.value(tokens).flatten(2)
        weights = (query.transpose(1, 2) @ key * x.shape[1] ** -0.5).softmax(2)
        return (value @ weights.transpose(1, 2)).reshape(x.shape)


class VisualTokensBlock(Block):
    """x + P(x, T(t)) with t = 8 tokens of x; T attends between tokens, P gives every position a mean of them.

    Only the last stage has this block, as in the paper; the stages before it have `mobilenetv2`'s. The tokens are means
    of x over positions, with weights that x gives, and so wide as x. P weighs them by a softmax over tokens. A block
    that strides or widens begins with a dense 3x3 and a norm, and has its shortcut after them. Linear in the number of
    positions, whose order does not matter. The tokens are no map, so that what a block reads has no site; its
    projection is a product with them, and is read as spatial.
    """

    defaults = Defaults(activation=nn.ReLU)

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, keeps = self.bound(make), stride == 1 and in_channels == out_channels
        self.embed = embedding(make, in_channels, out_channels, stride)
        self.join_after = None if keeps else make.join(out_channels)
        self.tokens = Tokenizer(make, out_channels, hidden)
        self.transformer = TokenTransformer(make, hidden)
        self.projector = Projector(make, out_channels, hidden)
        joins = self.residual or self.join_after is not None
        self.scale = make.scale(out_channels) if joins else nn.Identity()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    @classmethod
    def by_stage(cls, stages: int) -> list[type[Block]]:
        return [*[InvertedResidual] * (stages - 1), cls]

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        y = self.scale(self.projector(x, self.transformer(self.tokens(x))))
        return y if self.join_after is None else self.join_after(x, y)

    def inner_sites(self) -> list[Site]:
        return [Site("spatial", self.scale)]


ARCHITECTURES = {"visualtokens": VisualTokensBlock}
LABELS = {"visualtokens": "visual tokens (reading)"}
