"""M1 where two branches are joined: how much of a dimension each product, or sum, has for itself.

A star layer multiplies two linear maps of its input, so its features are quadratic functions; a sum layer's are linear.
As functions of d independent normal channels with the means and deviations that the input has, two features
(a·z + α)(b·z + β), with α and β the branches at the mean input, have the covariance

    (a·a')(b·b') + (a·b')(b·a') + (αb + βa)·(α'b' + β'a')

by Isserlis' theorem: two terms from the quadratic parts and one from the linear. Of sums a·z + b·z it is
(a + b)·(a' + b'). So star features are vectors in d(d+3)/2 dimensions and sum features in d, and D of `dimensionality`
is defined for both. All vectors have unit length here, because the layer that follows can undo any other. An activation
on a branch is left out: without one this is exact, else it is a reading of the weights alone.

M3 is taken of the joined map itself, activation included: log CI is the logarithm of a channel's variance over what it
would be if the two branches were independent, E f² E g² - (E f)² (E g)² for a product and var f + var g for a sum.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.measures.constructive_interference import log_ratio, quantiles
from lowparam.interference.measures.dimensionality import (
    DEAD,
    LARGEST,
    against_null,
    pointwise_matrix,
    random_floor,
    tight_floor,
)
from lowparam.interference.one_pass import Moments
from lowparam.models.blocks import Site

__all__ = ["measure", "measure_independence", "product_covariance", "sum_covariance"]


def product_covariance(a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """Covariances of the products (a·z + alpha)(b·z + beta) under a standard normal z.

    Parameters
    ----------
    a, b : Tensor
        Of shape (..., n, d).
    alpha, beta : Tensor
        Of shape (..., n).

    Returns
    -------
    quadratic, linear : Tensor
        Of shape (..., n, n); their sum is the covariance.
    """
    across = a @ b.mT
    mixed = alpha[..., None] * b + beta[..., None] * a
    return (a @ a.mT) * (b @ b.mT) + across * across.mT, mixed @ mixed.mT


def sum_covariance(a: Tensor, b: Tensor) -> Tensor:
    """Covariances (..., n, n) of the sums a·z + b·z under a standard normal z; a, b are (..., n, d)."""
    return (a + b) @ (a + b).mT


def measure(name: str, site: Site, inputs: Moments | None, *, draws: int) -> list[Value]:
    """D of the joined features, its ratio r to random weights, the floors, and for products the quadratic share.

    The random weights keep the length of each branch's rows, the share of each input channel in all rows, and the
    biases; branches that share their weights share the random ones.

    Parameters
    ----------
    name, site
        A site with ``factors``; others have no such values.
    inputs : Moments or None
        Of the branches' input.
    draws : int
        Of the null.
    """
    if site.factors is None:
        return []
    where = {"site": name, "kind": site.kind}
    try:
        a, b = (pointwise_matrix(layer) for layer in site.factors)
    except LowparamError as error:
        return [undefined("dimensionality", str(error), **where)]
    if inputs is None:
        return [undefined("dimensionality", "the branches never ran", **where)]
    whole, parts = inputs.deviations()
    mean = inputs.total.sum(0) / inputs.count.sum()
    alpha, beta = (_at(layer, weight, mean) for layer, weight in zip(site.factors, (a, b), strict=True))
    if not all(torch.isfinite(tensor).all() for tensor in (a * whole, b * whole, alpha, beta)):
        return [undefined("dimensionality", "weights or activations are not finite", **where)]

    def covariance(a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        return sum_covariance(a, b) if site.kind == "sum" else sum(product_covariance(a, b, alpha, beta))

    channels = a.shape[1]
    m = channels if site.kind == "sum" else channels * (channels + 3) // 2
    every = covariance(a * whole, b * whole, alpha, beta)
    lengths = every.diagonal().clamp(min=0).sqrt()
    alive = lengths > DEAD * lengths.max()
    n = int(alive.sum())
    shape = {**where, "n": n, "m": m}
    if n < 2:
        constant = not bool((whole > 0).any())
        reason = "no input channel varies over the images" if constant else f"only {n} feature is alive"
        return [undefined("dimensionality", reason, **shape)]
    a, b, alpha, beta = (tensor[alive] for tensor in (a, b, alpha, beta))
    value = _dimensionality(covariance(a * whole, b * whole, alpha, beta)).item()
    left_out = [_dimensionality(covariance(a * part, b * part, alpha, beta)).item() for part in parts]
    branches = [(a * whole, alpha)] if site.factors[0] is site.factors[1] else [(a * whole, alpha), (b * whole, beta)]
    null = _null(covariance, branches, torch.where(whole > 0, mean / whole, 0), draws)
    note = f"{len(lengths) - n} dead features dropped" if n < len(lengths) else ""
    values = [
        *against_null(value, left_out, null, note=note, **shape),
        Value("floor_tight", value=tight_floor(n, m), **shape),
        Value("floor_random", value=random_floor(n, m), **shape),
    ]
    if site.kind == "product":
        share = _quadratic_share(a * whole, b * whole, alpha, beta)
        left_out = [_quadratic_share(a * part, b * part, alpha, beta) for part in parts]
        lower, upper = interval(share, left_out)
        values.append(Value("quadratic_share", value=share, lower=lower, upper=upper, **shape))
    return values


def measure_independence(
    name: str, site: Site, branches: Sequence[Moments | None], outputs: Moments | None
) -> list[Value]:
    """log CI of the joined channels, mean and quantiles; the null is 0, independent branches.

    Parameters
    ----------
    name, site
        A site with ``factors``; others have no such values.
    branches : sequence of Moments or None
        Of the two maps that are joined.
    outputs : Moments or None
        Of the joined map.
    """
    if site.factors is None:
        return []
    where = {"site": name, "kind": site.kind}
    if len(branches) != 2 or outputs is None or any(branch is None for branch in branches):
        return [undefined("log_ci", "the site or one of its branches was not read", **where)]
    shape = {**where, "n": 2, "m": outputs.channels}
    mean, square = zip(*(_without_each_fold(moments) for moments in (*branches, outputs)), strict=True)
    variance = [s - m**2 for m, s in zip(mean, square, strict=True)]
    independent = {"product": square[0] * square[1] - (mean[0] * mean[1]) ** 2, "sum": variance[0] + variance[1]}
    every = log_ratio(variance[2], independent[site.kind])
    if not torch.isfinite(every[0]).any():
        finite = torch.isfinite(outputs.total).all()
        reason = "no channel varies over the images" if finite else "activations are not finite"
        return [undefined("log_ci", reason, **shape)]
    return quantiles(every[0], every[1:], **shape)


def _without_each_fold(moments: Moments) -> tuple[Tensor, Tensor]:
    """Mean and mean square of each channel (1 + folds with images, C): of all images, then without each fold."""
    some = moments.count > 0
    count, *sums = (
        torch.cat([whole.sum(0)[None], whole.sum(0) - whole[some]])
        for whole in (moments.count, moments.total, moments.outer.diagonal(dim1=1, dim2=2))
    )
    return sums[0] / count[:, None], sums[1] / count[:, None]


def _at(layer, weight: Tensor, mean: Tensor) -> Tensor:
    """A branch at the mean input, (n,)."""
    bias = 0 if layer.bias is None else layer.bias.detach().double()
    return weight @ mean + bias


def _dimensionality(covariance: Tensor) -> Tensor:
    """Mean D of unit vectors with these inner products (..., n, n): 1 over the sum of squared cosines."""
    lengths = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    cosines = covariance / lengths[..., :, None] / lengths[..., None, :]
    return (1 / (cosines**2).sum(-1)).mean(-1)


def _quadratic_share(a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> float:
    """Share of the variance that is in the quadratic parts, mean over features."""
    quadratic, linear = (part.diagonal() for part in product_covariance(a, b, alpha, beta))
    return (quadratic / (quadratic + linear)).mean().item()


def _null(covariance: Callable[..., Tensor], branches: list[tuple[Tensor, Tensor]], mean: Tensor, draws: int) -> Tensor:
    """Mean D of random weights (draws,), with the lengths of rows measured where all input channels are as loud.

    `branches` are one or two pairs of weights (n, d) and values at the mean input (n,); `mean` is that input (d,), in
    deviations as the weights are.
    """
    energy = torch.cat([rows for rows, _ in branches]).norm(dim=0)
    n, d = branches[0][0].shape
    generator = torch.Generator().manual_seed(0)
    chunk = max(1, LARGEST // (n * max(n, d)))
    means = []
    for start in range(0, draws, chunk):
        drawn = []
        for rows, at in branches:
            length = torch.where(energy > 0, rows / energy, 0).norm(dim=1)
            chosen = torch.randn(min(chunk, draws - start), n, d, generator=generator).to(rows.device)
            chosen = chosen * ((length / chosen.norm(dim=-1))[..., None] * energy).float()
            drawn.append((chosen, chosen @ mean.float() + (at - rows @ mean).float()))
        (a, alpha), (b, beta) = drawn[0], drawn[-1]
        means.append(_dimensionality(covariance(a, b, alpha, beta)).double())
    return torch.cat(means)
