"""Further numbers about a set of directions, the columns of a matrix (m, n): what the toy models are described with.

Feature dimensionality is in `dimensionality.py`. Of these, only the ones that move with superposition in the toy
models are worth a look in networks; coherence and frame potential are here because they are known, and do not.
"""

import torch
from torch import Tensor

__all__ = [
    "coherence",
    "cosines",
    "features_represented",
    "frame_potential",
    "interference",
    "leverage",
    "mean_squared_cosine",
    "positive_squared_cosine",
    "welch_bound",
]


def cosines(vectors: Tensor) -> Tensor:
    """Cosines (n, n) between columns; the diagonal is 1."""
    unit = vectors / vectors.norm(dim=0)
    return unit.T @ unit


def _pairs(vectors: Tensor) -> Tensor:
    """Cosines of all ordered pairs of different columns, (n (n - 1),)."""
    n = vectors.shape[1]
    return cosines(vectors)[~torch.eye(n, dtype=torch.bool, device=vectors.device)]


def features_represented(vectors: Tensor) -> float:
    """Squared Frobenius norm: about how many features a tied toy model represents (Elhage et al. 2022)."""
    return (vectors**2).sum().item()


def interference(vectors: Tensor) -> Tensor:
    """Sum over j != i of (unit v_i . v_j)^2, of shape (n,) (Elhage et al. 2022); scales with the columns squared."""
    gram = vectors.T @ vectors
    squared = gram.diagonal()
    return ((gram**2).sum(1) - squared**2) / squared


def mean_squared_cosine(vectors: Tensor) -> float:
    """m times the mean squared cosine: 1 for random directions, (n - m) / (n - 1) at best, when n > m."""
    return vectors.shape[0] * (_pairs(vectors) ** 2).mean().item()


def positive_squared_cosine(vectors: Tensor) -> float:
    """The part of `mean_squared_cosine` from positive cosines, the one that a ReLU does not remove; 1/2 if random."""
    return vectors.shape[0] * (_pairs(vectors).clamp(min=0) ** 2).mean().item()


def coherence(vectors: Tensor) -> float:
    """Largest absolute cosine of two columns, from `welch_bound` to 1."""
    return _pairs(vectors).abs().max().item()


def welch_bound(n: int, m: int) -> float:
    """The least coherence of n > m vectors in m dimensions, sqrt((n - m) / (m (n - 1))) (Welch 1974); else 0."""
    return max(0.0, (n - m) / (m * (n - 1))) ** 0.5


def frame_potential(vectors: Tensor) -> float:
    """m sum_ij (v_i . v_j)^2 / (sum_i |v_i|^2)^2, from 1 (a tight frame) to m (Benedetto & Fickus 2003)."""
    return (vectors.shape[0] * ((vectors.T @ vectors) ** 2).sum() / (vectors**2).sum() ** 2).item()


def leverage(vectors: Tensor) -> Tensor:
    """v_i' (V V')^+ v_i of each column, of shape (n,): from 0 to 1, at least D_i, and their sum is the rank."""
    return ((torch.linalg.pinv(vectors @ vectors.T) @ vectors) * vectors).sum(0)
