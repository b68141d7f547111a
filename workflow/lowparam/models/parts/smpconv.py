"""Spatial kernels interpolated between weights at points that move (SMPConv)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "self-moving points"
PAPER = "Kim and Park 2023, arXiv 2304.02330, section 3"
EQUALS = (
    "A plain k x k kernel where k^2 points of radius 2 / (k - 1) are at the positions of the grid. It learns Co Ci m + "
    "3 m values, Ci = 1 for a depthwise kernel; m = k^2 of the kernel that it takes the place of, by default."
)


class MovingPoints(nn.Module):
    """Sum over m points w_j max(0, 1 - |x - p_j|_1 / r_j), on a grid over [-1, 1]^2.

    The version of the paper's ImageNet networks: all kernels of a layer share positions and radii, and nothing is
    averaged. The parallel 5x5 convolution of these networks is left out, because it could do the work.

    Parameters
    ----------
    size : int
        Height and width of the grid, odd.
    points : int
        m.
    """

    # As the authors train: radii do not decay and learn a tenth as fast. Their positions decay only by the grouping
    # of the parameters, which pulls them to the centre; here, as in their small networks, they do not.
    undecayed: ClassVar = {"original1": 1.0, "original2": 0.1}

    def __init__(self, size: int, points: int) -> None:
        super().__init__()
        self.size, self.points = size, points

    def forward(self, weight: Tensor, position: Tensor, radius: Tensor) -> Tensor:
        allowed = radius.detach().clamp(1e-3, 1)
        if self.training:  # the authors clip after every step; here it is before the next use
            with torch.no_grad():
                radius.copy_(allowed)
        radius = allowed + (radius - radius.detach())
        axis = torch.linspace(-1, 1, self.size, device=position.device, dtype=position.dtype)
        rows, columns = ((axis - each[:, None]).abs() for each in position.T)  # each (m, size)
        influence = (1 - (rows[:, :, None] + columns[:, None]) / radius[:, None, None]).clamp(min=0)
        return torch.einsum("oim,mab->oiab", weight, influence)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Draw weights of standard deviation 0.02 and positions of 0.2, with radii of 4 / size, as the authors do."""
        drawn = weight.new_empty(*weight.shape[:2], self.points).normal_(std=0.02)
        position = nn.init.trunc_normal_(weight.new_empty(self.points, 2), std=0.2, a=-1, b=1)
        return drawn, position, weight.new_full((self.points,), 4 / self.size)


def make(shape: tuple[int, ...], size: int | None = None, points: int | None = None) -> nn.Module:
    """Return moving points for a weight of this shape.

    By default a filter has as many weights as before, on a grid of 2 k - 1; the paper has s^2 / 4 points on grids of
    s = 13 to 31.
    """
    kernel = shape[-1]
    return MovingPoints(size or 2 * kernel - 1, points or kernel**2)
