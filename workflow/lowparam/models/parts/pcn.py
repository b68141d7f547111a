"""Pointwise weights that are waves of the distance between learned positions of channels (point cloud network)."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make", "share", "wave"]

SLOT = "kernel"
ON = ("pointwise",)
LABEL = "point cloud network"
PAPER = "Hetterich 2023, arXiv 2309.12996"
EQUALS = (
    "A weight of wave(|x_i - y_j|) / sqrt(Ci), the same for all rotations and translations of the points. A channel "
    "learns d values, 8 by default; layers in a row share the points of the channels in between."
)


def wave(distance: Tensor, half: float = 0.1) -> Tensor:
    """Return the triangle wave of period 2 half, from -1/2 at 0 to 1/2 at half."""
    return (half - (distance % (2 * half) - half).abs() - half / 2) / half


class Points(nn.Module):
    """Positions (channels, d) of all groups of channels: uniform in [-1, 1], as published.

    Parameters
    ----------
    shapes : list of tuple of int
        Shapes of the weights, in order.
    dimensions : int
        d.

    Attributes
    ----------
    read, written : list of int
        The group that each weight reads, and the one that it writes.
    """

    def __init__(self, shapes: list[tuple[int, ...]], dimensions: int) -> None:
        super().__init__()
        self.groups = nn.ParameterList()
        self.read: list[int] = []
        self.written: list[int] = []
        for out, inputs, *_ in shapes:
            last = self.written[-1] if self.written else None
            shared = last is not None and len(self.groups[last]) == inputs
            self.read.append(last if shared else self._add(inputs, dimensions))
            self.written.append(self._add(out, dimensions))
        # The published factors of their learning rate belong to plain gradient descent on raw pixels. To decay would
        # be to move all points into one.
        self.undecayed = {name: 1.0 for name, _ in self.named_parameters()}

    def _add(self, channels: int, dimensions: int) -> int:
        self.groups.append(nn.Parameter(2 * torch.rand(channels, dimensions) - 1))
        return len(self.groups) - 1


class FromPoints(nn.Module):
    """Make one weight from the points of its channels.

    The paper's bias of a channel is that of the norm that follows the layer, or of the layer.
    """

    def __init__(self, points: Points, index: int) -> None:
        super().__init__()
        self.points, self.index = (points,), index  # in a tuple, as it belongs to the network

    def forward(self) -> Tensor:
        (points,) = self.points
        read, written = points.groups[points.read[self.index]], points.groups[points.written[self.index]]
        # The distance of equal points has no gradient, so nothing is at exactly 0.
        distance = ((written[:, None] - read).square().sum(2) + 1e-12).sqrt()
        return (wave(distance) / len(read) ** 0.5)[:, :, None, None]

    def right_inverse(self, weight: Tensor) -> tuple[()]:
        return ()  # all is learned in the points


def share(shapes: list[tuple[int, ...]], dimensions: int = 8) -> nn.Module:
    """Return the points of all channels. The paper has d = 4 to 32; 8 is less than the weights from 16 channels on."""
    return Points(shapes, dimensions)


def make(shape: tuple[int, ...], shared: nn.Module, index: int) -> nn.Module:
    """Return the weight number `index`, made from the points."""
    return FromPoints(shared, index)
