"""Padé neurons (Keles and Tekalp 2024, arXiv 2403.11791): a ratio of polynomials whose coefficients are convolutions.

P = w0 + W x and Q = 1 + V x, degrees [1/1], in the paper's smooth form (Paon-S): y = (Q P + w0) / (Q^2 + 1). The
denominator is at least 1. The shifter that the paper offers is left out: in its code the output for an image depends on
the other images of the batch.
"""

import torch
from torch import Tensor, nn

__all__ = ["Paon"]


class Paon(nn.Module):
    """A depthwise Padé neuron of degrees [1/1]: (N, C, H, W) to (N, C, H / stride, W / stride).

    As in the authors' code W begins as He et al. (uniform), V at zero, so that y = (W x + 2 w0) / 2, and edges are
    continued. 2 k^2 C + C parameters.

    Parameters
    ----------
    channels, kernel, stride : int
        C, the size of the convolutions, and their stride.
    """

    drawn = "Paon"

    def __init__(self, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.numerator, self.denominator = (
            nn.Conv2d(
                channels,
                channels,
                kernel,
                stride,
                kernel // 2,
                groups=channels,
                bias=False,
                padding_mode="replicate" if kernel > 1 else "zeros",
            )
            for _ in range(2)
        )
        nn.init.kaiming_uniform_(self.numerator.weight)
        nn.init.zeros_(self.denominator.weight)
        self.constant = nn.Parameter((2 * torch.rand(channels, 1, 1) - 1) / kernel)

    def forward(self, x: Tensor) -> Tensor:
        p, q = self.constant + self.numerator(x), 1 + self.denominator(x)
        return (q * p + self.constant) / (q * q + 1)
