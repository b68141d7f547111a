"""M1, feature dimensionality: how much of a dimension each direction of a pointwise layer has for itself.

D_i = |v_i|^4 / sum_j (v_i . v_j)^2 (Elhage et al. 2022, "Toy Models of Superposition", section "The Geometry of
Superposition"; the same formula is the capacity of Scherlis et al. 2022, arXiv 2210.01892). The vectors are columns
of W' = diag(g) W diag(s) for layers that write (projection, reduction, plain pointwise), and its rows for those that
read (expansions, and branches that are joined). s is the deviation of each input channel over images, g the factor of
the normalisation that follows: so W' does not change when a channel is rescaled and the next weight undoes it.

Shape alone forces much of D: a unit-norm tight frame of n vectors in m dimensions has m / n, random directions have
m / (m + n - 1). What was learned shows in the ratio r to random directions of the same norms. Rows live in the space of
the inputs, where a few loud channels align all of them, whatever the weights are. So for rows the random directions
also keep how much of all rows is in each dimension, and the norms are compared in the space where all dimensions have
the same. Both nulls are as indifferent to the scale of channels as W' is.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.pointwise import READS, activity_weighted, directions, output_factor, pointwise_matrix
from lowparam.interference.sums import Moments
from lowparam.models.blocks import Site

__all__ = [
    "against_null",
    "dimensionality",
    "measure",
    "measure_site",
    "random_floor",
    "random_null",
    "tight_floor",
]

DEFAULT = True
PLACE = 10
NEEDS = ("sums",)
COST = 0.11
VALUES = {
    "dimensionality": {
        "means": "D: share of a dimension that a direction has for itself, mean over directions",
        "range": "0 to 1",
        "null": "random directions of the same norms; for rows, also of the same share of each dimension",
        "at": "pointwise layers",
    },
    "dimensionality_ratio": {
        "means": "r: D over its null",
        "range": "above 0",
        "null": "1",
        "at": "pointwise layers",
    },
    "floor_tight": {
        "means": "D of a tight frame of the same shape, min(1, m / n)",
        "range": "0 to 1",
        "null": "none",
        "at": "pointwise layers",
    },
    "floor_random": {
        "means": "D of random directions of equal norm, m / (m + n - 1)",
        "range": "0 to 1",
        "null": "none",
        "at": "pointwise layers",
    },
    "dead_directions": {
        "means": "directions shorter than a thousandth of the longest, which D leaves out",
        "range": "count",
        "null": "none",
        "at": "pointwise layers",
    },
}
SUMMARY = {
    "dimensionality_projection": {
        "place": 10,
        "value": "dimensionality",
        "kinds": ("projection", "reduction"),
        "means": "mean D of projections and reductions",
    },
    "forced_projection": {
        "place": 20,
        "value": "dimensionality",
        "kinds": ("projection", "reduction"),
        "column": "null",
        "means": "the same of random directions of the same norms, which is what the shapes force",
    },
    "r_projection": {
        "place": 30,
        "value": "dimensionality_ratio",
        "kinds": ("projection", "reduction"),
        "sites": "straight",
        "means": "mean r of projections and reductions in blocks that do not stride; the primary score",
    },
    "r_projection_untrained": {
        "place": 40,
        "value": "dimensionality_ratio",
        "kinds": ("projection", "reduction"),
        "sites": "straight",
        "column": "untrained",
        "means": "the same before training",
    },
    "r_projection_null_sd": {
        "place": 50,
        "value": "dimensionality_ratio",
        "kinds": ("projection", "reduction"),
        "sites": "straight",
        "column": "null_sd",
        "take": "sd of mean",
        "means": "standard deviation of that mean if all directions were random",
    },
    "r_expansion": {
        "place": 60,
        "value": "dimensionality_ratio",
        "kinds": ("expansion", "branch"),
        "means": "mean r of expansions, and of branches that are joined",
    },
    "dead_directions": {
        "place": 230,
        "value": "dead_directions",
        "take": "sum",
        "means": "number of dead directions of all pointwise layers",
    },
}

DEAD = 1e-3
"""A vector shorter than this share of the longest is dead: it is dropped and counted."""

LARGEST = 6_000_000
"""Most numbers of a null that are held at a time: 24 MB."""


def dimensionality(vectors: Tensor) -> Tensor:
    """Return D of each column of `vectors` (..., m, n), of shape (..., n).

    Each D is from 0 to 1, and their sum is at most the rank. A zero column has 0.
    """
    m, n = vectors.shape[-2:]
    squared = (vectors**2).sum(-2)
    # Both are sum_j (v_i . v_j)^2: from the Gram matrix, or from the frame operator where that is less work.
    shared = ((vectors.mT @ vectors) ** 2).sum(-1) if n < 2 * m else (vectors @ vectors.mT @ vectors * vectors).sum(-2)
    return torch.nan_to_num(squared**2 / shared, nan=0.0)


def tight_floor(n: int, m: int) -> float:
    """Return the mean D of n equal-norm vectors that share m dimensions evenly: min(1, m / n)."""
    return min(1.0, m / n)


def random_floor(n: int, m: int) -> float:
    """Return the mean D of n random directions of equal norm in m dimensions, m / (m + n - 1)."""
    return m / (m + n - 1)


def random_null(norms: Tensor, m: int, draws: int, *, weights: Tensor | None = None, seed: int = 0) -> Tensor:
    """Return the mean D of random directions that keep given norms, draw by draw.

    Parameters
    ----------
    norms : Tensor
        Of shape (n,): lengths of the vectors.
    m : int
        Dimensions.
    draws : int
        Independent draws of n isotropic directions.
    weights : Tensor, optional
        Of shape (m,): factor of each dimension, applied after the norms; 1 by default.
    seed : int
        Seed of the draws.

    Returns
    -------
    Tensor
        float64 of shape (draws,).
    """
    # In order, so that a permutation of channels changes nothing; in units in which fourth powers do not underflow.
    n, norms = len(norms), norms.sort()[0] / norms.max()
    weights = None if weights is None else weights.sort()[0] / weights.max()
    chunk = max(1, LARGEST // (n * m))
    means = []
    for start in range(0, draws, chunk):
        vectors = _gaussian(seed + start, max(LARGEST, n * m))[: min(chunk, draws - start) * n * m].view(-1, m, n)
        vectors = vectors * (norms.float() / vectors.norm(dim=1))[:, None]
        if weights is not None:
            vectors = vectors * weights.float()[:, None]
        means.append(dimensionality(vectors).double().mean(1))
    return torch.cat(means)


@lru_cache(maxsize=1)  # the numbers that all layers but the largest share
def _gaussian(seed: int, count: int) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def measure(context: Context) -> list[Value]:
    """Measure every pointwise layer."""
    values = []
    for name, site in context.sites.items():
        if site.pointwise is not None:
            values += measure_site(name, site, context.inputs.get(name), draws=context.settings.null_draws)
    return values


def measure_site(name: str, site: Site, inputs: Moments | None, *, draws: int) -> list[Value]:
    """Return D, its ratio r to the norm-matched random null, the two forced floors, and the number of dead vectors.

    Parameters
    ----------
    name, site
        A site that has a pointwise layer.
    inputs : Moments or None
        Sums over the layer's input.
    draws : int
        Draws behind the null.
    """
    where = {"site": name, "kind": site.kind}
    try:
        matrix = pointwise_matrix(site.pointwise)
    except LowparamError as error:
        return [undefined("dimensionality", str(error), **where)]
    if inputs is None:
        return [undefined("dimensionality", "the pointwise layer never ran", **where)]
    deviations, without_fold = inputs.deviations()
    weighted = activity_weighted(site, deviations)
    if not torch.isfinite(weighted).all():
        reason = "weights are not finite" if not torch.isfinite(matrix).all() else "activations are not finite"
        return [undefined("dimensionality", reason, **where)]
    vectors = directions(site, weighted)
    norms = vectors.norm(dim=0)
    alive = norms > DEAD * norms.max()
    m, n = vectors.shape[0], int(alive.sum())
    shape = {**where, "n": n, "m": m}
    dead = Value("dead_directions", value=len(norms) - n, **shape)
    if n < 2:
        constant = not bool((deviations > 0).any())
        reason = "no input channel varies over the images" if constant else f"only {n} direction is alive"
        return [undefined("dimensionality", reason, **shape), dead]
    vectors = vectors[:, alive]
    # Only s changes from fold to fold, so all folds are one batch.
    gain = directions(site, output_factor(site, len(matrix))[:, None] * matrix)[:, alive]
    folds = gain * (without_fold[:, :, None] if site.kind in READS else without_fold[:, None, alive])
    folds = folds[torch.isfinite(without_fold).all(1)]
    value = dimensionality(vectors).mean().item()
    left_out = dimensionality(folds).mean(1).cpu().numpy()
    if site.kind in READS:
        energy = vectors.norm(dim=1)
        equalised = torch.where(energy[:, None] > 0, vectors / energy[:, None], 0)
        null = random_null(equalised.norm(dim=0).cpu(), m, draws, weights=energy.cpu())
    else:
        null = random_null(norms[alive].cpu(), m, draws)
    note = f"{len(norms) - n} dead directions dropped" if n < len(norms) else ""
    return [
        *against_null(value, left_out, null, note=note, **shape),
        Value("floor_tight", value=tight_floor(n, m), **shape),
        Value("floor_random", value=random_floor(n, m), **shape),
        dead,
    ]


def against_null(value: float, left_out: Sequence[float] | np.ndarray, null: Tensor, **where: Any) -> list[Value]:
    """Return the mean D with its interval and null, and the ratio r with the same.

    Parameters
    ----------
    value : float
        Mean D.
    left_out : sequence of float, shape (folds,)
        Mean D without each fold.
    null : Tensor
        Mean D of random directions, (draws,).
    **where
        Fields of `Value` that both have.
    """
    lower, upper = interval(value, left_out)
    mean, deviation = null.mean().item(), null.std().item()
    ratio = {"value": value / mean, "lower": lower / mean, "upper": upper / mean, "null_sd": deviation / mean}
    return [
        Value("dimensionality", value=value, lower=lower, upper=upper, null=mean, null_sd=deviation, **where),
        Value("dimensionality_ratio", null=1.0, **ratio, **where),
    ]
