"""RepMLPNet's block, matrices over parts of a map that merge with convolutions (Ding et al., arXiv 2112.11081).

It is the second form of RepMLP (Ding et al. 2021, arXiv 2105.01883); as in the authors' repmlpnet.py. Its published
networks have matrices for maps of one size.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site
from lowparam.models.branches import HiddenBranch, embedding
from lowparam.models.layers import Product, Sum
from lowparam.models.make import Defaults

__all__ = ["ARCHITECTURES", "GlobalPerceptron", "PartitionPerceptron", "RepMLPBlock"]

SIDE = 4  # height and width of a part of the map
KERNELS = (1, 3)
CHANNELS_A_SET = 8


class GlobalPerceptron(nn.Module):
    """A factor for each channel: sigmoid(W2 ReLU(W1 mean(x))) from (N, C, H, W) to (N, C, 1, 1).

    Parameters
    ----------
    channels : int
        C.
    inside : int
        Rows of W1.
    """

    drawn = "global perceptron"

    def __init__(self, channels: int, inside: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, inside, 1)
        self.expand = nn.Conv2d(inside, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.expand(self.reduce(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class PartitionPerceptron(nn.Module):
    """A matrix over the 4x4 positions of every part of the map, plus depthwise 1x1 and 3x3, each with a batch norm.

    Channel c has the matrix and the kernels of set c mod S. Where S does not divide the channels, the last S channels
    are read a second time until every set is full, and what is made of that is dropped. Maps that 4 does not divide are
    filled up with zeros. The convolutions see one part only, with zeros around it. In eval mode all of it is one matrix
    a set, see `merged`.

    Parameters
    ----------
    sets : int
        S.
    """

    drawn = "partition and local perceptrons"

    def __init__(self, sets: int) -> None:
        super().__init__()
        self.sets, features = sets, sets * SIDE**2
        self.matrix = nn.Conv2d(features, features, 1, groups=sets, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(sets)
        self.convs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(sets, sets, k, padding=k // 2, groups=sets, bias=False), nn.BatchNorm2d(sets))
            for k in KERNELS
        )

    def forward(self, x: Tensor) -> Tensor:
        return self._on_parts(x, self._branches)

    def _branches(self, parts: Tensor) -> Tensor:
        y = self.norm(self.matrix(parts.reshape(len(parts), -1, 1, 1)).reshape(parts.shape))
        for conv in self.convs:
            y = y + conv(parts)
        return y

    def _on_parts(self, x: Tensor, function) -> Tensor:
        """Apply a function to the parts of all sets, (parts, S, 4, 4)."""
        n, channels, height, width = x.shape
        while x.shape[1] % self.sets:
            x = torch.cat((x, x[:, x.shape[1] - self.sets :][:, : -x.shape[1] % self.sets]), 1)
        x = F.pad(x, (0, -width % SIDE, 0, -height % SIDE))
        filled, rows, columns = x.shape[1], x.shape[2] // SIDE, x.shape[3] // SIDE
        parts = x.reshape(n, filled, rows, SIDE, columns, SIDE).permute(0, 2, 4, 1, 3, 5)
        y = function(parts.reshape(-1, self.sets, SIDE, SIDE))
        y = y.reshape(n, rows, columns, filled, SIDE, SIDE).permute(0, 3, 1, 4, 2, 5)
        return y.reshape(n, filled, rows * SIDE, columns * SIDE)[:, :channels, :height, :width]

    def merged(self) -> nn.Module:
        """Return what computes the same in eval mode by one matrix a set."""
        with torch.no_grad():
            gain, bias = _scale(self.norm), _shift(self.norm)
            weight = self.matrix.weight.reshape(self.sets, SIDE**2, SIDE**2) * gain[:, None, None]
            units = torch.eye(SIDE**2).to(weight).reshape(SIDE**2, 1, SIDE, SIDE).expand(-1, self.sets, -1, -1)
            for branch in self.convs:
                conv, norm = branch.children()
                of_units = conv(units).flatten(2).permute(1, 2, 0)  # set, position written, position read
                weight = weight + of_units * _scale(norm)[:, None, None]
                bias = bias + _shift(norm)
            one = PartitionPerceptron(self.sets).to(weight)
            features = self.sets * SIDE**2
            one.matrix = nn.Conv2d(features, features, 1, groups=self.sets).to(weight)
            one.matrix.weight.copy_(weight.reshape(one.matrix.weight.shape))
            one.matrix.bias.copy_(bias.repeat_interleave(SIDE**2))
        one.norm, one.convs = nn.Identity(), nn.ModuleList()
        return one.eval()


def _scale(norm: Any) -> Tensor:
    return norm.weight / (norm.running_var + norm.eps).sqrt()


def _shift(norm: Any) -> Tensor:
    return norm.bias - norm.running_mean * _scale(norm)


class RepMLPBlock(Block):
    """x + g(u) * M(u) with u = BN x, then x + F(BN x): M mixes the positions of every 4x4 part, F is a hidden branch.

    M is one 16 x 16 matrix for about eight channels, plus depthwise 1x1 and 3x3 convolutions inside a part, each with a
    batch norm; after training they merge into the matrix. g is a factor for each channel, from the mean of the map. F
    is PW to the hidden width, BN, GELU -> PW, BN. A block that strides or widens begins with a dense 3x3 and a norm.
    The last map of images of 8 pixels is half a part wide, so that most numbers of its matrices meet zeros only. The
    shortcuts are inside, so a probe at S1 or S2 acts on the output.
    """

    defaults = Defaults(activation=nn.GELU)
    expansion = 4.0
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, width = self.bound(make), out_channels
        self.embed = embedding(make, in_channels, width, stride)
        self.norm = make.norm(width)
        self.weigh = GlobalPerceptron(width, max(4, hidden // 16))
        self.mix = PartitionPerceptron(max(1, round(hidden / self.expansion / CHANNELS_A_SET)))
        self.product = Product()
        self.scale_mixer = make.scale(width)
        self.mlp = HiddenBranch(make, width, hidden, inside=True)
        self.sum_mixer, self.sum_hidden = Sum(), Sum()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        u = self.norm(x)
        x = self.sum_mixer(x, self.scale_mixer(self.product(self.mix(u), self.weigh(u))))
        return self.sum_hidden(x, self.mlp(x))

    def inner_sites(self) -> list[Site]:
        """Return the sites; the factors of channels are no map, so their product counts as spatial."""
        return [Site("spatial", self.scale_mixer), *self.mlp.sites()]


ARCHITECTURES = {"repmlp": RepMLPBlock}
LABELS = {"repmlp": "RepMLPNet"}
