"""The sparsity of SoLU alone: the largest channels pass unchanged, the others are zero."""

import torch
from torch import Tensor, nn

__all__ = ["LABEL", "VARIANTS", "TopK"]

LABEL = "its sparsity alone"


class TopK(nn.Module):
    """The k largest channels at each position unchanged, the others zero.

    k is the number of channels that SoLU(x) effectively uses there: its participation ratio, the squared sum of
    absolute values over the sum of squares, rounded.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = (x * x.softmax(dim=1)).abs()
            used = y.sum(dim=1, keepdim=True).square() / y.square().sum(dim=1, keepdim=True)
            kept = used.nan_to_num(1.0).round().clamp(1, x.shape[1])
            rank = x.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return x * (rank < kept)


VARIANTS = {"": TopK}
