"""M1 where two branches are joined: the share of a dimension that each product, or sum, has for itself.

A star layer multiplies two linear maps of its input, so its features are quadratic functions; a sum layer's are linear.
As functions of d independent normal channels with the means and deviations that the input has, two features
(a·z + α)(b·z + β), with α and β the branches at the mean input, have the covariance

    (a·a')(b·b') + (a·b')(b·a') + (αb + βa)·(α'b' + β'a')

by Isserlis' theorem: two terms from the quadratic parts and one from the linear. Of sums a·z + b·z it is
(a + b)·(a' + b'). So star features are vectors in d(d+3)/2 dimensions and sum features in d, and D of `dimensionality`
is defined for both. All vectors have unit length here, because the layer that follows can undo any other. An activation
on a branch is left out: without one this is exact, else it is a reading of the weights alone.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.measures.dimensionality import DEAD, LARGEST, against_null, random_floor, tight_floor
from lowparam.interference.pointwise import pointwise_matrix
from lowparam.interference.sums import Moments
from lowparam.models.blocks import Site

__all__ = ["measure", "measure_site", "product_covariance", "sum_covariance"]

DEFAULT = True
PLACE = 30
NEEDS = ("sums",)
VALUES = {
    "dimensionality": {
        "means": "D of the joined features as functions of the branches' input",
        "range": "0 to 1",
        "null": "random weights of the same lengths, shares of input channels, and biases",
        "at": "product, sum",
    },
    "dimensionality_ratio": {
        "means": "r: D over its null",
        "range": "above 0",
        "null": "1",
        "at": "product, sum",
    },
    "floor_tight": {
        "means": "min(1, m / n), with m = d (d + 3) / 2 for products of d channels and d for sums",
        "range": "0 to 1",
        "null": "none",
        "at": "product, sum",
    },
    "floor_random": {
        "means": "m / (m + n - 1)",
        "range": "0 to 1",
        "null": "none",
        "at": "product, sum",
    },
    "quadratic_share": {
        "means": "share of the variance of a product that is in its quadratic part, mean over features",
        "range": "0 to 1",
        "null": "none",
        "at": "product",
    },
}
SUMMARY = {
    "dimensionality_join": {
        "place": 70,
        "value": "dimensionality",
        "kinds": ("product", "sum"),
        "means": "mean D of the maps that are the product or the sum of two branches",
    },
    "r_join": {
        "place": 80,
        "value": "dimensionality_ratio",
        "kinds": ("product", "sum"),
        "means": "mean r of the maps that are the product or the sum of two branches",
    },
    "quadratic_share": {
        "place": 110,
        "value": "quadratic_share",
        "means": "mean quadratic share of products",
    },
}


def product_covariance(a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """Return the covariances of the products (a·z + alpha)(b·z + beta) under a standard normal z.

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
    """Return the covariances (..., n, n) of the sums a·z + b·z under a standard normal z; a, b are (..., n, d)."""
    return (a + b) @ (a + b).mT


def measure(context: Context) -> list[Value]:
    """Measure every map that joins two branches."""
    values = []
    for name, site in context.sites.items():
        if site.factors is not None:
            values += measure_site(name, site, context.inputs.get(name), draws=context.settings.null_draws)
    return values


def measure_site(name: str, site: Site, inputs: Moments | None, *, draws: int) -> list[Value]:
    """Return D of the joined features, its ratio r to random weights, the floors, and the quadratic share of products.

    The random weights keep the length of each branch's rows, the share of each input channel in all rows, and the
    biases; branches that share their weights share the random ones.

    Parameters
    ----------
    name, site
        A site with ``factors``; others have no such values.
    inputs : Moments or None
        Sums over the branches' input.
    draws : int
        Draws behind the null.
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
    deviations, without_fold = inputs.deviations()
    mean = inputs.total.sum(0) / inputs.count.sum()
    alpha, beta = (_at_mean(layer, weight, mean) for layer, weight in zip(site.factors, (a, b), strict=True))
    if not all(torch.isfinite(tensor).all() for tensor in (a * deviations, b * deviations, alpha, beta)):
        return [undefined("dimensionality", "weights or activations are not finite", **where)]

    def covariance(a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        if site.kind == "sum":
            return sum_covariance(a, b)
        quadratic, linear = product_covariance(a, b, alpha, beta)
        return quadratic + linear

    channels = a.shape[1]
    m = channels if site.kind == "sum" else channels * (channels + 3) // 2
    of_all = covariance(a * deviations, b * deviations, alpha, beta)
    lengths = of_all.diagonal().clamp(min=0).sqrt()
    alive = lengths > DEAD * lengths.max()
    n = int(alive.sum())
    shape = {**where, "n": n, "m": m}
    if n < 2:
        constant = not bool((deviations > 0).any())
        reason = "no input channel varies over the images" if constant else f"only {n} feature is alive"
        return [undefined("dimensionality", reason, **shape)]
    a, b, alpha, beta = (tensor[alive] for tensor in (a, b, alpha, beta))
    weighted = (a * deviations, b * deviations)
    value = _dimensionality(covariance(*weighted, alpha, beta)).item()
    left_out = [_dimensionality(covariance(a * s, b * s, alpha, beta)).item() for s in without_fold]
    branches = [(weighted[0], alpha), (weighted[1], beta)][: 1 if site.factors[0] is site.factors[1] else 2]
    null = _null(covariance, branches, torch.where(deviations > 0, mean / deviations, 0), draws)
    note = f"{len(lengths) - n} dead features dropped" if n < len(lengths) else ""
    values = [
        *against_null(value, left_out, null, note=note, **shape),
        Value("floor_tight", value=tight_floor(n, m), **shape),
        Value("floor_random", value=random_floor(n, m), **shape),
    ]
    if site.kind == "product":
        share = _quadratic_share(*weighted, alpha, beta)
        left_out = [_quadratic_share(a * s, b * s, alpha, beta) for s in without_fold]
        lower, upper = interval(share, left_out)
        values.append(Value("quadratic_share", value=share, lower=lower, upper=upper, **shape))
    return values


def _at_mean(layer: nn.Module, weight: Tensor, mean: Tensor) -> Tensor:
    """Return a branch at the mean input, (n,)."""
    bias = 0 if layer.bias is None else layer.bias.detach().double()
    return weight @ mean + bias


def _dimensionality(covariance: Tensor) -> Tensor:
    """Return the mean D of unit vectors with these inner products (..., n, n): 1 over the sum of squared cosines."""
    lengths = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    cosines = covariance / lengths[..., :, None] / lengths[..., None, :]
    return (1 / (cosines**2).sum(-1)).mean(-1)


def _quadratic_share(a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> float:
    """Return the share of the variance that is in the quadratic parts, mean over features."""
    quadratic, linear = (part.diagonal() for part in product_covariance(a, b, alpha, beta))
    return (quadratic / (quadratic + linear)).mean().item()


def _null(covariance: Callable[..., Tensor], branches: list[tuple[Tensor, Tensor]], mean: Tensor, draws: int) -> Tensor:
    """Return the mean D of random weights (draws,); rows keep their lengths where all input channels are equally loud.

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
