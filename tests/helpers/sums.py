"""Sums per fold of vectors that a test makes itself."""

import torch

from lowparam.interference.sums import Moments


def moments(vectors: torch.Tensor, folds: int) -> Moments:
    """Of vectors (images, positions, C); image i belongs to fold i mod `folds`."""
    count = torch.bincount(torch.arange(len(vectors)) % folds, minlength=folds)
    full = torch.cat([vectors, vectors.new_zeros(-len(vectors) % folds, *vectors.shape[1:])])
    result = Moments.empty(folds, vectors.shape[2], vectors.device)
    result.add(0, full.unflatten(0, (-1, folds)).transpose(0, 1).flatten(1, 2), count * vectors.shape[1])
    return result
