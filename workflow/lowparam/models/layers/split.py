"""Layers that take channels apart and put them together again."""

import torch
from torch import Tensor, nn

__all__ = ["ChannelShuffle", "Concatenation", "FirstHalf", "SecondHalf"]


class FirstHalf(nn.Module):
    """The first C // 2 channels."""

    drawn = "first half"

    def forward(self, x: Tensor) -> Tensor:
        return x[:, : x.shape[1] // 2]


class SecondHalf(nn.Module):
    """The other channels: one more where C is odd."""

    drawn = "second half"

    def forward(self, x: Tensor) -> Tensor:
        return x[:, x.shape[1] // 2 :]


class Concatenation(nn.Module):
    """The channels of all maps, one map after the other."""

    drawn = "both"

    def forward(self, *maps: Tensor) -> Tensor:
        return torch.cat(maps, 1)


class ChannelShuffle(nn.Module):
    """The channels of x and y in turn (Zhang et al. 2018, arXiv 1707.01083); what y has more comes last."""

    drawn = "in turn"

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        both = x.shape[1]
        mixed = torch.stack((x, y[:, :both]), 2).flatten(1, 2)
        return mixed if y.shape[1] == both else torch.cat((mixed, y[:, both:]), 1)
