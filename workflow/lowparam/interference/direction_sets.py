"""Describe a set of directions, the columns of a matrix (m, n), by numbers: those of the toy models.

Feature dimensionality, D_i, is a measure of its own (`measures/dimensionality.py`). Coherence and frame potential are
here because the literature uses them; in the toy models they do not change with superposition.
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
    """Return the cosines (n, n) between columns; the diagonal is 1."""
    unit = vectors / vectors.norm(dim=0)
    return unit.T @ unit


def _pairs(vectors: Tensor) -> Tensor:
    """Return the cosines of all ordered pairs of different columns, (n (n - 1),)."""
    n = vectors.shape[1]
    return cosines(vectors)[~torch.eye(n, dtype=torch.bool, device=vectors.device)]


def features_represented(vectors: Tensor) -> float:
    """Return the squared Frobenius norm, 0 or more: about how many features a tied toy model represents.

    From Elhage et al. 2022, "Toy Models of Superposition", section "The Geometry of Superposition".
    """
    return (vectors**2).sum().item()


def interference(vectors: Tensor) -> Tensor:
    """Return the sum over j != i of (unit v_i . v_j)^2 of each column, (n,): 0 or more, in squared lengths.

    From Elhage et al. 2022, section "Demonstrating Superposition". NaN for a zero column.
    """
    gram = vectors.T @ vectors
    squared = gram.diagonal()
    return ((gram**2).sum(1) - squared**2) / squared


def mean_squared_cosine(vectors: Tensor) -> float:
    """Return m times the mean squared cosine: 1 for random directions, at least (n - m) / (n - 1) when n > m."""
    return vectors.shape[0] * (_pairs(vectors) ** 2).mean().item()


def positive_squared_cosine(vectors: Tensor) -> float:
    """Return the part of `mean_squared_cosine` from positive cosines, which a ReLU does not remove; 1/2 if random."""
    return vectors.shape[0] * (_pairs(vectors).clamp(min=0) ** 2).mean().item()


def coherence(vectors: Tensor) -> float:
    """Return the largest absolute cosine of two columns, from `welch_bound` to 1."""
    return _pairs(vectors).abs().max().item()


def welch_bound(n: int, m: int) -> float:
    """Return the least coherence of n vectors in m dimensions (Welch 1974).

    It is sqrt((n - m) / (m (n - 1))) for n > m, and 0 for fewer.
    """
    return max(0.0, (n - m) / (m * (n - 1))) ** 0.5


def frame_potential(vectors: Tensor) -> float:
    """Return m sum_ij (v_i . v_j)^2 / (sum_i |v_i|^2)^2, from 1 (a tight frame) to m (Benedetto & Fickus 2003)."""
    return (vectors.shape[0] * ((vectors.T @ vectors) ** 2).sum() / (vectors**2).sum() ** 2).item()


def leverage(vectors: Tensor) -> Tensor:
    """Return v_i' (V V')^+ v_i of each column, (n,): from 0 to 1, at least D_i, and their sum is the rank."""
    return ((torch.linalg.pinv(vectors @ vectors.T) @ vectors) * vectors).sum(0)
