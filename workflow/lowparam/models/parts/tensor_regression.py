"""A head of low rank on the unpooled map, whose terms are dropped at random (tensor regression with tensor dropout)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "TensorRegression", "make"]

SLOT = "head"
LABEL = "tensor regression"
PAPER = "Kolbeinsson et al. 2021, arXiv 1902.10758, section 3"
EQUALS = (
    "Mean pooling and a linear layer of rank R where the factors of rows and columns are 1 / size. It has R (C + H + W "
    "+ K) + K parameters for K classes, R such that they are nearest to C K + K by default."
)


class TensorRegression(nn.Module):
    """Contract (N, C, H, W) with a tensor (C, H, W, K) in CP form, the sum of R products of one vector for each axis.

    Weights lambda of the terms are part of the vectors. In training mode each term is kept with probability 1 - p, the
    same for all images of a batch, and divided by it; if none is kept, one is.

    Parameters
    ----------
    features, height, width, classes : int
        C, H, W and K.
    rank : int
        R.
    dropout : float
        p. A paper's value for networks as small as ours is not known; this one is ours.
    """

    drawn = "tensor regression"

    def __init__(
        self, features: int, height: int, width: int, classes: int, *, rank: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.dropout = dropout
        # Each entry of the tensor gets the variance that it has where torch's linear layer follows mean pooling.
        variance = 1 / (3 * features * (height * width) ** 2)
        deviation = (variance / rank) ** (1 / 8)
        self.channels, self.rows, self.columns, self.classes = (
            nn.Parameter(deviation * torch.randn(size, rank)) for size in (features, height, width, classes)
        )
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        terms = torch.einsum("nchw,hr,wr->ncr", x, self.rows, self.columns)
        terms = (terms * self.channels).sum(1)
        if self.training and self.dropout:
            terms = terms * self._kept(terms)
        return F.linear(terms, self.classes, self.bias)

    def _kept(self, terms: Tensor) -> Tensor:
        kept = torch.rand(terms.shape[1], device=terms.device) >= self.dropout
        one = torch.randint(terms.shape[1], (1,), device=terms.device)
        kept = kept | (~kept.any() & (torch.arange(terms.shape[1], device=terms.device) == one))
        return kept.to(terms.dtype) / (1 - self.dropout)


def make(features: int, classes: int, size: int) -> nn.Module:
    """Return the head of (N, features, size, size)."""
    rank = max(1, round(features * classes / (features + 2 * size + classes)))
    return TensorRegression(features, size, size, classes, rank=rank)
