"""SOFT's block, attention without softmax (Lu et al. 2021, arXiv 2110.11945; the authors' softmax_free_transformer.py).

The paper's networks have tables of positions, and a class token in the last stage; neither exists here, so there are no
published networks. A token is a position of the map.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowparam.models.blocks._transformer import Mixer, Select, TransformerBlock, heads_of, map_of
from lowparam.models.blocks.base import Block
from lowparam.models.layers import Sum
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "LandmarkAttention", "SOFTBlock", "gaussian", "nystroem"]

RIDGE = 0.01


def gaussian(a: Tensor, b: Tensor) -> Tensor:
    """Return exp(-||a_i - b_j||^2 / 2) for all pairs of tokens (..., n, d) and (..., m, d), as (..., n, m)."""
    squares = a.square().sum(-1)[..., :, None] + b.square().sum(-1)[..., None, :] - 2 * a @ b.transpose(-1, -2)
    return (-squares.clamp(min=0) / 2).exp()


def nystroem(query: Tensor, landmarks: Tensor, value: Tensor, ridge: float = RIDGE) -> Tensor:
    """Return K(Q, M) (K(M, M) + ridge I)^-1 K(M, Q) V, with `gaussian` as K: about K(Q, Q) V from few landmarks M.

    Multiply-accumulates of the solution of the linear system are not counted in what a network costs.
    """
    between = gaussian(landmarks, landmarks)
    between = between + ridge * torch.eye(between.shape[-1], dtype=between.dtype, device=between.device)
    towards = gaussian(query, landmarks)
    return towards @ torch.linalg.solve(between, towards.transpose(-1, -2) @ value)


class LandmarkAttention(nn.Module):
    """Gaussian attention through landmarks (equations 6 to 9), from query, which is the key, and value (N, 2 C, H, W).

    The landmarks of a head are GELU(LN(convolution of r x r with stride r of its queries)), the same for all heads;
    maps that r does not divide are filled up with zeros. Weights are not normalised: outputs grow with the number of
    positions.

    Parameters
    ----------
    channels : int
        C.
    heads : int
        The channels are those of all heads, one after the other.
    ratio : int
        r; there are about r^2 times fewer landmarks than positions.
    """

    drawn = "SOFT attention"

    def __init__(self, channels: int, heads: int, ratio: int) -> None:
        super().__init__()
        widest = -(-channels // heads)
        self.heads, self.ratio = heads, ratio
        self.landmark = nn.Conv2d(widest, widest, ratio, ratio, bias=False)
        self.norm = nn.LayerNorm(widest)

    def forward(self, maps: Tensor) -> Tensor:
        query, value = maps.chunk(2, dim=1)
        height, width = query.shape[2:]
        tokens = heads_of(query, self.heads)
        tokens = tokens * tokens.shape[3] ** -0.25
        image = tokens.transpose(2, 3).reshape(-1, tokens.shape[3], height, width)
        landmarks = self.landmark(functional.pad(image, (0, -width % self.ratio, 0, -height % self.ratio)))
        landmarks = landmarks.flatten(2).transpose(1, 2).reshape(*tokens.shape[:2], -1, tokens.shape[3])
        landmarks = functional.gelu(self.norm(landmarks))
        return map_of(nystroem(tokens, landmarks, heads_of(value, self.heads)), value)


class HeadFilter(nn.Conv2d):
    """A 3x3 convolution without bias of (N, C, H, W) with one filter a head, for all of its channels."""

    def __init__(self, heads: int) -> None:
        super().__init__(heads, heads, 3, padding=1, groups=heads, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        tokens = heads_of(x, self.in_channels)
        images = tokens.permute(0, 3, 1, 2).reshape(-1, self.in_channels, height, width)
        filtered = super().forward(images).reshape(n, -1, self.in_channels, height, width)
        return filtered.transpose(1, 2).reshape(n, -1, height, width)[:, :channels]


class SoftmaxFreeMixer(Mixer):
    """The sum of Gaussian attention and of the values under a filter a head."""

    maps, ratio = 2, 2

    def __init__(self, channels: int, inner: int, heads: int, make: Make) -> None:
        super().__init__(channels, inner, heads, make)
        self.attention = LandmarkAttention(inner, heads, self.ratio)
        self.value = Select("value", 1, 2)
        self.filter = HeadFilter(heads)
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.read(x)
        return self.sum(self.attention(maps), self.filter(self.value(maps)))


class CoarseMixer(SoftmaxFreeMixer):
    """The same with landmarks of 4 x 4 positions."""

    ratio = 4


class SOFTBlock(TransformerBlock):
    """y = LN(x + PW(A(PW x) + 3x3 (v))), then LN(y + F(y)), with A Gaussian attention and F a hidden branch.

    A weighs key j for query i by exp(-||q_i - q_j||^2 / 2), without a sum to divide by, through landmarks of 2 x 2
    positions, in the first stage of 4 x 4; the keys are the queries. The paper inverts the kernel of the landmarks by
    20 steps of Newton's method; here the linear system is solved. v is the values, under one filter a head. F is PW to
    the hidden width, GELU, PW. A block that strides or widens begins with a dense 3x3 and a norm. Both shortcuts are
    inside, so a probe at S1 or S2 acts on the output.
    """

    mixer_type = SoftmaxFreeMixer

    @classmethod
    def by_stage(cls, stages: int) -> list[type[Block]]:
        return [CoarseSOFTBlock, *[cls] * (stages - 1)]

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = self.norm_mixer(self.sum_mixer(x, self.scale_mixer(self.write(self.mixer(x)))))
        y = self.gate(self.act(self.expand(x)))
        return self.norm_hidden(self.sum_hidden(x, self.scale_hidden(self.project(y))))


class CoarseSOFTBlock(SOFTBlock):
    """The block of the first stage."""

    mixer_type = CoarseMixer


ARCHITECTURES = {"soft": SOFTBlock}
