"""MONet's block of two Mu-Layers, which multiply and have no activation (Cheng et al. 2024, arXiv 2401.17992).

As in public copies of the authors' code; the paper has the formula. Its smallest network has 10 million parameters.
"""

import torch
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.branches import embedding
from lowparam.models.layers import LayerNorm2d, Product, Sum
from lowparam.models.make import Defaults, Make

__all__ = ["ARCHITECTURES", "FourWays", "MuLayer", "PolyBlock"]

LOW = 8  # channels of a layer over those of its second factor in low rank
WAYS = ((0, 1), (0, -1), (1, 1), (1, -1))  # axis of the map and step: down, up, right, left


class FourWays(nn.Module):
    """Each quarter of the channels of (N, C, H, W) moved by one position: down, up, right and left.

    The row or column without a source keeps its values. The authors' code moves within one array, which on a CPU
    spreads the first row over the map; here the source is not touched. Quarters differ by one channel at most.
    """

    drawn = "shifts in four directions"

    def forward(self, x: Tensor) -> Tensor:
        shifted = []
        for quarter, (axis, step) in zip(x.tensor_split(len(WAYS), 1), WAYS, strict=True):
            size = quarter.shape[2 + axis]
            source = (torch.arange(size, device=x.device) - step).clamp(0, size - 1)
            shifted.append(quarter.index_select(2 + axis, source))
        return torch.cat(shifted, 1)


class Weighted(nn.Module):
    """a x with one learned number a, which begins at 1."""

    drawn = "factor"

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.alpha * x


class MuLayer(nn.Module):
    """C(u + a u * v) with u = LN(A x) and v = LN(B D x), D to an eighth of the width inside (section 3.1).

    A layer that mixes positions shifts A x and D x first. A, B and D begin with biases of 1.

    Parameters
    ----------
    make : Make
        Makes the 1x1 convolutions and the norms.
    width, inside : int
        Channels of input and output, and of u and v.
    shifts : bool
        Whether positions are mixed.
    """

    def __init__(self, make: Make, width: int, inside: int, *, shifts: bool) -> None:
        super().__init__()
        low = max(1, inside // LOW)
        self.first = make.pointwise(width, inside)
        self.down, self.up = make.pointwise(width, low), make.pointwise(low, inside)
        for layer in (self.first, self.down, self.up):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.ones_(layer.bias)
        self.shift_first, self.shift_low = (FourWays() if shifts else nn.Identity() for _ in range(2))
        self.norm_first, self.norm_second = make.norm(inside), make.norm(inside)
        self.product, self.factor, self.sum = Product(), Weighted(), Sum()
        self.act = make.activation(inside)
        self.write = make.pointwise(inside, width)

    def forward(self, x: Tensor) -> Tensor:
        first = self.norm_first(self.shift_first(self.first(x)))
        second = self.norm_second(self.up(self.shift_low(self.down(x))))
        return self.write(self.act(self.sum(first, self.factor(self.product(first, second)))))

    def sites(self, name: str, output: nn.Module) -> list[Site]:
        """Return the sites; the second factor reads the input through two 1x1 convolutions."""
        gamma = getattr(output, "gamma", None)
        return [
            Site("branch", self.norm_first, self.first, name=f"{name}_first"),
            Site("branch", self.norm_second, self.up, name=f"{name}_second"),
            Site("product", self.product, name=f"{name}_product"),
            Site("sum", self.act, name=f"{name}_sum"),
            Site("projection", output, self.write, scale=gamma, name=f"{name}_write"),
        ]


class PolyBlock(Block):
    """x + M1(LN x), then x + M2(LN x): two Mu-Layers with one layer norm, of which the first mixes positions.

    A Mu-Layer is C(u + a u * v), u = LN(A x) and v = LN(B D x), D of low rank; the first is as wide as the stream
    inside and shifts quarters of its channels by one position, the second has the hidden width. There is no activation,
    but the layer norms divide, so the block is no polynomial of its input. A block that strides or widens begins with a
    dense 3x3, as the stages of the paper's network do. The shortcuts are inside, so a probe at S1 or S2 acts on the
    output.
    """

    defaults = Defaults(norm=LayerNorm2d, activation=nn.Identity, bias=True)
    expansion = 3.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, width = self.bound(make), out_channels
        self.embed = embedding(make, in_channels, width, stride, norm=False)
        self.norm = make.norm(width)
        self.spatial = MuLayer(make, width, max(1, round(hidden / self.expansion)), shifts=True)
        self.scale_spatial = make.scale(width)
        self.channels = MuLayer(make, width, hidden, shifts=False)
        self.scale_channels = make.scale(width)
        self.sum_spatial, self.sum_channels = Sum(), Sum()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = self.sum_spatial(x, self.scale_spatial(self.spatial(self.norm(x))))
        return self.sum_channels(x, self.scale_channels(self.channels(self.norm(x))))

    def inner_sites(self) -> list[Site]:
        return [
            Site("spatial", self.spatial.shift_first),
            *self.spatial.sites("spatial", self.scale_spatial),
            *self.channels.sites("channels", self.scale_channels),
        ]


ARCHITECTURES = {"monet": PolyBlock}
LABELS = {"monet": "MONet"}
