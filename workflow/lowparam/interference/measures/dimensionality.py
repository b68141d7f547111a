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

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import Moments
from lowparam.models.blocks import Site

__all__ = [
    "activity_weighted",
    "against_null",
    "dimensionality",
    "directions",
    "measure",
    "output_factor",
    "pointwise_matrix",
    "random_floor",
    "random_null",
    "tight_floor",
]

DEAD = 1e-3
"""A vector shorter than this share of the longest is dead: it is dropped and counted."""

READS = ("expansion", "branch")
"""Kinds of sites whose directions are the rows of the weights."""

LARGEST = 6_000_000
"""Most numbers of a null that are held at a time: 24 MB."""


def dimensionality(vectors: Tensor) -> Tensor:
    """D of each column of `vectors` (..., m, n), of shape (..., n).

    Each D is from 0 to 1, and their sum is at most the rank. A zero column has 0.
    """
    m, n = vectors.shape[-2:]
    squared = (vectors**2).sum(-2)
    # Both are sum_j (v_i . v_j)^2: from the Gram matrix, or from the frame operator where that is less work.
    shared = ((vectors.mT @ vectors) ** 2).sum(-1) if n < 2 * m else (vectors @ vectors.mT @ vectors * vectors).sum(-2)
    return torch.nan_to_num(squared**2 / shared, nan=0.0)


def tight_floor(n: int, m: int) -> float:
    """Mean D of n equal-norm vectors that share m dimensions evenly: min(1, m / n)."""
    return min(1.0, m / n)


def random_floor(n: int, m: int) -> float:
    """Mean D of n random directions of equal norm in m dimensions, m / (m + n - 1)."""
    return m / (m + n - 1)


def random_null(norms: Tensor, m: int, draws: int, *, weights: Tensor | None = None, seed: int = 0) -> Tensor:
    """Mean D of random directions that keep given norms.

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
        Of the draws.

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


def pointwise_matrix(layer: nn.Module) -> Tensor:
    """The matrix (outputs, inputs) of a 1x1 convolution or a linear layer, in float64.

    Raises
    ------
    LowparamError
        If the layer is neither, or is grouped.
    """
    if isinstance(layer, nn.Linear):
        return layer.weight.detach().double()
    if not isinstance(layer, nn.Conv2d) or any(k != 1 for k in layer.kernel_size):
        raise LowparamError(f"{type(layer).__name__} is not a pointwise layer: it must be a 1x1 convolution or linear")
    if layer.groups != 1:
        raise LowparamError(f"the pointwise layer has {layer.groups} groups; only ungrouped ones are measured")
    return layer.weight.detach().double().flatten(1)


def output_factor(site: Site, channels: int) -> Tensor:
    """The factor g (channels,) that follows a pointwise layer: its norm's and its layer scale's, 1 without either.

    Batch norm is folded as gamma / sqrt(running_var + eps). A norm with statistics of its own for every input (layer
    norm, group norm) counts with gamma; the common factor that is left does not change D.
    """
    device = site.pointwise.weight.device
    factor = torch.ones(channels, dtype=torch.float64, device=device)
    gamma = getattr(site.norm, "weight", None)
    if gamma is not None:
        factor = factor * gamma.detach().double().flatten()
    if getattr(site.norm, "running_var", None) is not None:
        factor = factor / (site.norm.running_var.double() + site.norm.eps).sqrt()
    if site.scale is not None:
        factor = factor * site.scale.detach().double().flatten()
    return factor


def activity_weighted(site: Site, deviations: Tensor) -> Tensor:
    """W' = diag(g) W diag(s) of shape (outputs, inputs), in float64; `deviations` s is (inputs,)."""
    matrix = pointwise_matrix(site.pointwise)
    return output_factor(site, len(matrix))[:, None] * matrix * deviations


def directions(site: Site, weighted: Tensor) -> Tensor:
    """The vectors of W' as columns (m, n): what an expansion or a branch reads (rows), what any other layer writes."""
    return weighted.T if site.kind in READS else weighted


def measure(name: str, site: Site, inputs: Moments | None, *, draws: int) -> list[Value]:
    """D, its ratio r to the norm-matched random null, the two forced floors, and the number of dead vectors.

    Parameters
    ----------
    name, site
        The site; it has a pointwise layer.
    inputs : Moments or None
        Of the layer's input.
    draws : int
        Of the null.
    """
    where = {"site": name, "kind": site.kind}
    try:
        matrix = pointwise_matrix(site.pointwise)
    except LowparamError as error:
        return [undefined("dimensionality", str(error), **where)]
    if inputs is None:
        return [undefined("dimensionality", "the pointwise layer never ran", **where)]
    whole, parts = inputs.deviations()
    every = activity_weighted(site, whole)
    if not torch.isfinite(every).all():
        reason = "weights are not finite" if not torch.isfinite(matrix).all() else "activations are not finite"
        return [undefined("dimensionality", reason, **where)]
    vectors = directions(site, every)
    norms = vectors.norm(dim=0)
    alive = norms > DEAD * norms.max()
    m, n = vectors.shape[0], int(alive.sum())
    shape = {**where, "n": n, "m": m}
    dead = Value("dead_directions", value=len(norms) - n, **shape)
    if n < 2:
        constant = not bool((whole > 0).any())
        reason = "no input channel varies over the images" if constant else f"only {n} direction is alive"
        return [undefined("dimensionality", reason, **shape), dead]
    vectors = vectors[:, alive]
    # Only s changes from fold to fold, so all folds are one batch.
    gain = directions(site, output_factor(site, len(matrix))[:, None] * matrix)[:, alive]
    folds = gain * (parts[:, :, None] if site.kind in READS else parts[:, None, alive])
    folds = folds[torch.isfinite(parts).all(1)]
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


def against_null(value: float, left_out: np.ndarray, null: Tensor, **where: object) -> list[Value]:
    """Mean D with its interval and null, and the ratio r with the same."""
    lower, upper = interval(value, left_out)
    mean, deviation = null.mean().item(), null.std().item()
    ratio = {"value": value / mean, "lower": lower / mean, "upper": upper / mean, "null_sd": deviation / mean}
    return [
        Value("dimensionality", value=value, lower=lower, upper=upper, null=mean, null_sd=deviation, **where),
        Value("dimensionality_ratio", null=1.0, **ratio, **where),
    ]
