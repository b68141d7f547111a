"""The local relation layer of LR-Net (Hu et al. 2019, arXiv 1904.11491; the authors' operator in Swin's repository).

A reading: the network around the operator is not public. Weights come from minus the squared difference of query and
key, and from a small network of the offset in [-1, 1]; both are said to be the paper's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Site, foldable
from lowparam.models.layers import ConvNormAct, Sum
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "LocalRelation", "LocalRelationBlock"]

SHARED, KERNEL, UNITS = 8, 7, 4  # channels that share weights; positions a side; at least so many units a hidden layer
OUTSIDE = -100.0


class LocalRelation(nn.Module):
    """A weighted mean of the 7x7 values around each position, (N, C, H, W) to (N, C, H / stride, W / stride).

    The weights are a softmax over the neighbours p' of -(q_p - k_p')^2 + g(p' - p) inside the map: query and key are
    one number each for eight channels, which share their weights; where 8 does not divide C, the last share with fewer.
    The values are the map itself. g is 1x1 -> ReLU -> 1x1 of the offset. Its products with no weight of the layer are
    not among MACs.

    Parameters
    ----------
    make : Make
        Makes the 1x1 convolutions.
    channels, stride : int
        C, and the stride of the queries.
    """

    drawn = "local relation 7×7"
    offsets: Tensor

    def __init__(self, make: Make, channels: int, stride: int = 1) -> None:
        super().__init__()
        groups = -(-channels // SHARED)
        units = max(UNITS, groups // 2)
        self.stride = stride
        self.query = make.pointwise(channels, groups, bias=True)
        self.key = make.pointwise(channels, groups, bias=True)
        self.geometry = nn.Sequential(
            make.pointwise(2, units, bias=True), nn.ReLU(), make.pointwise(units, groups, bias=True)
        )
        axis = torch.arange(KERNEL) / (KERNEL // 2) - 1.0
        offsets = torch.cartesian_prod(axis, axis).T.reshape(1, 2, KERNEL**2, 1)
        self.register_buffer("offsets", offsets, persistent=False)

    def weights(self, x: Tensor) -> Tensor:
        """Return the weights (N, G, 49, H / stride, W / stride), which sum to 1 over the 49 neighbours in row order."""
        height, width = x.shape[2:]
        query, key = self.query(x)[..., :: self.stride, :: self.stride], self.key(x)
        scores = -(query[:, :, None] - self._around(key)).square()
        outside = 1 - self._around(x.new_ones(1, 1, height, width))
        scores = (scores + self.geometry(self.offsets)[..., None]) * (1 - outside) + OUTSIDE * outside
        return scores.softmax(2)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.weights(x).repeat_interleave(SHARED, 1)[:, : x.shape[1]]
        return (weights * self._around(x)).sum(2)

    def _around(self, x: Tensor) -> Tensor:
        """Return the 49 values around each position, zero outside, (N, C, 49, H / stride, W / stride)."""
        size = [-(-side // self.stride) for side in x.shape[2:]]
        patches = F.unfold(x, KERNEL, padding=KERNEL // 2, stride=self.stride)
        return patches.reshape(x.shape[0], x.shape[1], KERNEL**2, *size)


class LocalRelationBlock(Block):
    """PW to a quarter of the width, BN, ReLU -> local relation, BN, ReLU -> PW, BN; plus the input, then ReLU.

    ResNet's bottleneck, in which the layer takes the place of the 3x3. The last PW of the layer is that of the
    bottleneck. A block that strides or widens has a PW, BN as its shortcut, which is inside, so that a probe at S2 acts
    on the sum; an activation follows every sum. Every position attends to its neighbours in the map, and is shifted
    with them.
    """

    expansion = 1 / 4
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make, width = self.bound(make), out_channels
        self.reduce = ConvNormAct(make.pointwise(in_channels, hidden), make.norm(hidden), make.activation(hidden))
        self.relation = make.striding(lambda stride: LocalRelation(make, hidden, stride), hidden, stride)
        self.norm = make.norm(hidden)
        self.act = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = ConvNormAct(make.pointwise(hidden, width), make.norm(width))
        self.scale = make.scale(width)
        keeps = stride == 1 and in_channels == width
        self.reshape = nn.Identity() if keeps else _shortcut(make, in_channels, width, stride)
        self.sum = Sum()
        self.act_sum = make.activation(width)

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def branch(self, x: Tensor) -> Tensor:
        y = self.act(self.norm(self.relation(self.reduce(x))))
        return self.act_sum(self.sum(self.reshape(x), self.scale(self.project(self.gate(y)))))

    def inner_sites(self) -> list[Site]:
        gamma = getattr(self.scale, "gamma", None)
        return [
            Site("reduction", self.reduce, self.reduce.conv, foldable(self.reduce.norm)),
            Site("spatial", self.act),
            Site("projection", self.scale, self.project.conv, foldable(self.project.norm), scale=gamma),
        ]


def _shortcut(make: Make, before: int, after: int, stride: int) -> nn.Module:
    def convolution(stride: int) -> nn.Conv2d:
        return nn.Conv2d(before, after, 1, stride, bias=make.defaults.bias)

    return nn.Sequential(make.striding(convolution, after, stride), make.norm(after))


ARCHITECTURES = {"localrelation": LocalRelationBlock}
LABELS = {"localrelation": "local relation (reading)"}
