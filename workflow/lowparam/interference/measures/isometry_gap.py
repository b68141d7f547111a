"""Isometry gap: how far the pooled maps of different images are from orthogonal and equally long.

phi = log(mean of the eigenvalues of G) - mean of their logarithms, with G the Gram matrix of n = C / 2 standardised
pooled maps of different images (Meterez et al. 2023, arXiv 2310.02012, definition 1; the isometry gap). 0 if and only
if the maps are orthogonal and equally long, and without bound as two of them become one. It is the mean over random
draws of images, which has no interval. Independent Gaussian maps have log C - (1/n) sum_i (psi((C - i) / 2) + log 2),
from the determinant of a Wishart matrix, which is the null. It reacts to the smallest eigenvalues, where
`capacity_used` reacts to the largest.
"""

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, undefined
from lowparam.interference.pooled_maps import PooledMaps

__all__ = ["Sums", "gap", "gaussian_gap", "measure"]

PLACE = 68
NEEDS = ("own sums",)
COST = 0.0
VALUES = {
    "isometry_gap": {
        "means": "how far pooled maps of different images are from orthogonal and equally long",
        "range": "0 or more, in nats",
        "null": "independent Gaussian maps",
        "at": "stream",
    },
}
SUMMARY = {
    "isometry_gap": {"value": "isometry_gap", "means": "mean isometry gap of the streams"},
    "isometry_gap_null": {"value": "isometry_gap", "column": "null", "means": "the same of independent Gaussian maps"},
}
DRAWS = 20


class Sums(PooledMaps):
    """The pooled maps of each stream."""


def gap(vectors: Tensor) -> Tensor:
    """Return the isometry gap of vectors (..., n, C) with n at most C; infinite if they are dependent."""
    eigenvalues = torch.linalg.eigvalsh(vectors @ vectors.mT).clamp(min=0)
    return eigenvalues.mean(-1).log() - eigenvalues.log().mean(-1)


def gaussian_gap(count: int, channels: int) -> float:
    """Return the expected gap of `count` independent standard normal vectors, up to the variance of their trace."""
    degrees = (channels - np.arange(count)) / 2
    return float(np.log(channels) - (digamma(degrees) + np.log(2)).mean())


def measure(context: Context) -> list[Value]:
    """Measure every stream, as the mean over 20 draws of images."""
    kept: Sums = context.sums["isometry_gap"]  # pyrefly: ignore[bad-assignment]: this file has made it
    values = []
    for name, site in context.streams.items():
        where = {"site": name, "kind": site.kind}
        if name not in kept:
            values.append(undefined("isometry_gap", "the site was not read", **where))
            continue
        maps = kept[name]
        channels = maps.shape[1]
        deviation = maps.std(0, correction=0)
        count = min(channels // 2, len(maps))
        shape = {**where, "n": count, "m": channels}
        if not torch.isfinite(maps).all() or count < 2 or not (deviation > 0).any():
            reason = "it needs finite maps that vary, of 4 channels and 2 images at least"
            values.append(undefined("isometry_gap", reason, **shape))
            continue
        standard = torch.where(deviation > 0, (maps - maps.mean(0)) / deviation, 0)
        generator = np.random.default_rng(0)
        chosen = np.stack([generator.permutation(len(maps))[:count] for _ in range(DRAWS)])
        found = gap(standard[torch.from_numpy(chosen)])
        if not torch.isfinite(found).all():
            values.append(undefined("isometry_gap", "maps of different images are dependent", **shape))
            continue
        null = {"null": gaussian_gap(count, channels)}
        values.append(Value("isometry_gap", value=found.mean().item(), **null, **shape))
    return values
