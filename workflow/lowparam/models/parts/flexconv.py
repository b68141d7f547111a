"""Spatial kernels that a small network computes from positions, under a mask of learned size (FlexConv)."""

import math

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "FlexConv"
PAPER = "Romero et al. 2022, arXiv 2110.08059, section 3"
EQUALS = (
    "The kernel of the small network where the mask is wide. It learns (L + 1) 7 h + L (h^2 + h) + (h + 1) Ci Co + 4 "
    "values, Ci = 1 for a depthwise kernel: 316 + 9 C for h = 8 and L = 2."
)


class Filter(nn.Module):
    """A Gabor filter for each of h units: exp(-|gamma (x - mu)|^2 / 2) sin(W x + b), of positions x (P, 2)."""

    def __init__(self, units: int, layer: int, *, spread: float, frequency: float) -> None:
        super().__init__()
        gamma = torch.distributions.Gamma(6.0 / (layer + 1), 1.0, validate_args=False).sample((units, 2))
        self.gamma = nn.Parameter(gamma)
        self.mu = nn.Parameter((2 * torch.rand(units, 2) - 1) * spread)
        self.weight = nn.Parameter((2 * torch.rand(units, 2) - 1) * 2**-0.5 * frequency * gamma)
        self.bias = nn.Parameter((2 * torch.rand(units) - 1) * math.pi)

    def forward(self, x: Tensor) -> Tensor:
        envelope = (-(self.gamma * (x[:, None] - self.mu)).square().sum(2) / 2).exp()
        return envelope * (x @ self.weight.T + self.bias).sin()


class FlexKernel(nn.Module):
    """Multiply a mask, exp(-((y - m_y)^2 / s_y^2 + (x - m_x)^2 / s_x^2) / 2), with a network of the positions (MAGNet).

    MAGNet begins at h_0 = g_0, goes on by h_l = g_l (A_l h_{l-1} + a_l), l = 1 to L, and ends in a linear layer, g_l as
    in `Filter`. As in the authors' small networks the kernel always has its largest size: where the mask is below a
    tenth of its peak they crop it. The penalty against aliasing is left out.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weight, (Co, Ci, k, k).
    size : int
        Height and width of the largest kernel, odd.
    units, layers : int
        h and L.
    """

    # As the authors train, the mask learns a tenth as fast. What is no weight of a layer does not decay.
    undecayed: dict[str, float]

    def __init__(self, shape: tuple[int, ...], size: int, units: int, layers: int) -> None:
        super().__init__()
        self.shape, self.size = shape, size
        # The authors' values are those of 33 positions: a mask over 5, and frequencies per position.
        step = 2 / (size - 1)
        deviation = 1.2 * step
        frequency = 25.6 / 16 / step / (layers + 1) ** 0.5
        self.filters = nn.ModuleList(
            Filter(units, layer, spread=1.667 * deviation, frequency=frequency) for layer in range(layers + 1)
        )
        self.mixing = nn.ModuleList(nn.Linear(units, units) for _ in range(layers))
        for layer in self.mixing:
            nn.init.uniform_(layer.weight, -(units**-0.5), units**-0.5)
        self.last = nn.Linear(units, shape[0] * shape[1])
        self.mean = nn.Parameter(torch.zeros(2))
        self.deviation = nn.Parameter(torch.full((2,), deviation))
        still = [name for name, _ in self.named_parameters() if not name.endswith("weight")]
        self.undecayed = {f"0.{name}": 0.1 if name in ("mean", "deviation") else 1.0 for name in still}

    def network(self) -> Tensor:
        """Return the kernel without its mask, (Co, Ci, size, size)."""
        axis = torch.linspace(-1, 1, self.size, device=self.mean.device, dtype=self.mean.dtype)
        positions = torch.cartesian_prod(axis, axis)
        hidden = self.filters[0](positions)
        for filters, mixing in zip(self.filters[1:], self.mixing, strict=True):
            hidden = filters(positions) * mixing(hidden)
        return self.last(hidden).T.reshape(*self.shape[:2], self.size, self.size)

    def mask(self) -> Tensor:
        """Return the mask, (size, size)."""
        axis = torch.linspace(-1, 1, self.size, device=self.mean.device, dtype=self.mean.dtype)
        rows, columns = (-((axis[:, None] - self.mean) / self.deviation).square() / 2).exp().T
        return rows[:, None] * columns

    def forward(self) -> Tensor:
        return self.network() * self.mask()

    def right_inverse(self, weight: Tensor) -> tuple[()]:
        return ()  # what is learned are the parameters of this module


def make(shape: tuple[int, ...], size: int | None = None, units: int = 8, layers: int = 2) -> nn.Module:
    """Return a kernel that a network computes, for a weight of this shape.

    The paper has h = 32 and L = 3 for dense kernels of up to 33 positions, which would be dearer than the kernels of
    our networks; these are the values for a depthwise kernel of up to 2 k + 1.
    """
    return FlexKernel(shape, size or 2 * shape[-1] + 1, units, layers)
