"""Depthwise convolutions of Gram polynomials of the map in place of the spatial convolution (Gram-KAN)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "spatial"
LABEL = "Gram-KAN convolution"
PAPER = "Drokin 2024, arXiv 2407.01092, section 3.4"
EQUALS = (
    "The depthwise convolution of SiLU(x) where the polynomial one is zero. It has k^2 C (degree + 2) + degree + 1 "
    "parameters, degree 3 by default."
)


class GramConv2d(nn.Module):
    """Add a convolution of SiLU(x) and one of SiLU(P_0(u)) to SiLU(P_degree(u)), u = tanh(x), both depthwise.

    P_0 = 1, P_1 = u, P_i = u P_{i-1} - beta_{i-1,i} P_{i-2}; beta_{n,m} = (m + n)(m - n) n^2 / (m^2 / (4 n^2 - 1)) B_n
    with B learned. The norm and the activation of the paper's layer are those that the block has there.

    Parameters
    ----------
    channels, kernel, stride : int
        Of the convolutions.
    degree : int
        Of the last polynomial.
    """

    drawn = "KAN"

    def __init__(self, channels: int, kernel: int, stride: int = 1, degree: int = 3) -> None:
        super().__init__()
        self.degree = degree
        place = {"stride": stride, "padding": kernel // 2, "groups": channels, "bias": False}
        self.base = nn.Conv2d(channels, channels, kernel, **place)
        self.polynomial = nn.Conv2d((degree + 1) * channels, channels, kernel, **place)
        for conv in (self.base, self.polynomial):
            nn.init.kaiming_uniform_(conv.weight, nonlinearity="linear")
        self.beta = nn.Parameter(torch.randn(degree + 1) / (kernel**2 * channels * (degree + 1)))

    def bases(self, x: Tensor) -> Tensor:
        """Return P_0 to P_degree of tanh(x), (N, C, degree + 1, H, W)."""
        u = x.tanh()
        found = [torch.ones_like(u), u]
        for m in range(2, self.degree + 1):
            n = m - 1
            beta = (m + n) * (m - n) * n**2 / (m**2 / (4 * n**2 - 1)) * self.beta[n]
            found.append(u * found[-1] - beta * found[-2])
        return torch.stack(found[: self.degree + 1], 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(silu(x)) + self.polynomial(silu(self.bases(x)).flatten(1, 2))


def make(channels: int, kernel: int, stride: int) -> nn.Module:
    """Return the layer for (N, channels, H, W)."""
    return GramConv2d(channels, kernel, stride)
