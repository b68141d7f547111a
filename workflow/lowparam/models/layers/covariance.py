"""Attention between channels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CrossCovariance"]


class CrossCovariance(nn.Module):
    """softmax(t q k^T) v with q, k and v of shape (d, P) in each head: channels attend to channels (XCA).

    From (N, 3 h d, H, W), which holds q, k and v of h heads in this order, to (N, h d, H, W); P = H W. Each row of q
    and k has length 1 over the positions, and t is learned for each head (El-Nouby et al. 2021, arXiv 2106.09681,
    section 3.2). Linear in the number of positions, whose order does not matter.

    Parameters
    ----------
    heads : int
        h.
    """

    drawn = "XCA"

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))

    def forward(self, qkv: Tensor) -> Tensor:
        n, channels, height, width = qkv.shape
        query, key, value = qkv.reshape(n, 3, self.heads, -1, height * width).unbind(1)
        query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
        weights = (query @ key.transpose(-2, -1) * self.temperature).softmax(-1)
        return (weights @ value).reshape(n, channels // 3, height, width)

    def extra_repr(self) -> str:
        return str(self.heads)
