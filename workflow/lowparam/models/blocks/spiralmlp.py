"""SpiralMLP's block, fixed shifts along a spiral (Mu et al. 2024, arXiv 2404.00648; the authors' spiral_mlp.py).

The spiral is that of the `spiral` part: all channels move. The authors' code leaves the shifts of half of the channels
undefined. There are no published networks, because their counts are not published.
"""

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.branches import HiddenBranch, embedding
from lowparam.models.layers import LayerNorm2d, Sum
from lowparam.models.make import Defaults
from lowparam.models.parts.spiral import SpiralShift

__all__ = ["ARCHITECTURES", "Choice", "SpiralBlock"]


class Choice(nn.Module):
    """a x + (1 - a) y with a in (0, 1) for each channel and image: a softmax over PW, GELU, PW of the mean of x + y.

    Parameters
    ----------
    channels, squeezed : int
        C, and channels between the two PWs.
    """

    drawn = "weighted by softmax"

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.GELU()
        self.expand = nn.Conv2d(squeezed, 2 * channels, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        pooled = (x + y).mean((2, 3), keepdim=True)
        first, second = self.expand(self.act(self.reduce(pooled))).unflatten(1, (-1, 2)).softmax(2).unbind(2)
        return first * x + second * y


class SpiralBlock(Block):
    """x + PW(a PW(shift u) + (1 - a) PW(u)) with u = LN x, then x + (LN -> PW to the hidden width, GELU -> PW).

    The shift reads each channel at a fixed offset on a spiral, zero outside of the map, without parameters; nothing
    else mixes positions. The unshifted PW has no bias, as in the first of the authors' two files. A block that strides
    or widens begins with a dense 3x3, as the stages of the paper's network do. The shortcuts are inside, so a probe at
    S1 or S2 acts on the output.
    """

    defaults = Defaults(norm=LayerNorm2d, activation=nn.GELU, bias=True)
    expansion = 4.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        width, make = out_channels, self.bound(make)
        self.embed = embedding(make, in_channels, width, stride, norm=False)
        self.norm = make.norm(width)
        self.shift = SpiralShift(width)
        self.cross = make.pointwise(width, width)
        self.own = make.pointwise(width, width, bias=False)
        self.choice = Choice(width, max(1, hidden // 16))
        self.write = make.pointwise(width, width)
        self.mlp = HiddenBranch(make, width, hidden)
        self.sum_spatial, self.sum_hidden = Sum(), Sum()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        u = self.norm(x)
        x = self.sum_spatial(x, self.write(self.choice(self.cross(self.shift(u)), self.own(u))))
        return self.sum_hidden(x, self.mlp(x))

    def inner_sites(self) -> list[Site]:
        """Return the sites; the two that are weighed read different maps, so that their sum has no factors."""
        return [
            Site("branch", self.cross, self.cross, name="cross"),
            Site("branch", self.own, self.own, name="own"),
            Site("sum", self.choice),
            Site("projection", self.write, self.write, name="write"),
            *self.mlp.sites(),
        ]


ARCHITECTURES = {"spiralmlp": SpiralBlock}
