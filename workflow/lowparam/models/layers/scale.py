"""Learned factors on a branch."""

import torch
from torch import Tensor, nn

__all__ = ["LayerScale"]


class LayerScale(nn.Module):
    """A learned factor per channel on a residual branch (Touvron et al. 2021, arXiv 2103.17239), for (N, C, H, W).

    Parameters
    ----------
    channels : int
        C.
    initial : float
        Initial value of the factors, by default that of ConvNeXt.
    """

    drawn = "layer scale"

    def __init__(self, channels: int, initial: float = 1e-6) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels, 1, 1), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma

    def extra_repr(self) -> str:
        return str(self.gamma.shape[0])
