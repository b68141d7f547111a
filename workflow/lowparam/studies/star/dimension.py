"""Implicit dimension of star and sum layers, counted exactly.

A layer has two branches, A x + a and B x + b, and joins them channel by channel: a star layer multiplies, a sum layer
adds (Ma et al. 2024, arXiv 2403.19967, section 3.1). There is no activation. The *implicit dimension* of one output
channel is the dimension of the linear span of all functions of x that it can become as the weights vary. For a star
layer these functions are polynomials of degree 2, so their span can be no larger than the number of monomials; after
l layers the degree is 2^l.

The count is a rank: rows are random points, columns are random weights, an entry is the output. Points and weights
are integers modulo a prime, and so are the entries. A minor that is not zero modulo the prime is not zero, hence

    rank modulo the prime  <=  rank over the rationals  <=  implicit dimension  <=  number of monomials.

Where the first equals the last, all four are equal, which is a proof. Where it is smaller, it is a lower bound.
Singular values in float64 are reported as well, to show up to which size floating point can resolve the rank.
"""

from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lowparam.errors import LowparamError
from lowparam.files import write_csv
from lowparam.studies.star.settings import Settings

__all__ = [
    "PRIME",
    "closed_form",
    "count_dimensions",
    "count_growth",
    "evaluate",
    "float_rank",
    "monomials",
    "paper_growth",
    "printed_form",
    "rank_modulo",
    "write",
]

OUTPUTS = ("dimension.csv", "growth.csv")
SETTINGS = ("dimensions", "layers", "growth_limit")

PRIME = 2**31 - 1  # the largest prime whose products fit into int64
SPARE = 8  # points and functions beyond the number that is expected


def monomials(channels: int, degree: int, *, bias: bool) -> int:
    """Count the monomials in `channels` variables: up to `degree` with bias, of exactly `degree` without."""
    return comb(channels + degree - (not bias), degree)


def closed_form(operator: str, channels: int, *, bias: bool, layers: int = 1) -> int:
    """Return the upper bound on the implicit dimension after `layers` layers: the number of monomials that can occur.

    One star layer has (d+1)(d+2)/2 with bias (Ma et al. 2024, section 3.1) and d(d+1)/2 without; a sum layer has d+1
    and d at any depth, because it stays affine.

    Raises
    ------
    LowparamError
        If the operator is neither star nor sum.
    """
    if operator not in ("star", "sum"):
        raise LowparamError(f"operator must be star or sum, not {operator!r}")
    return monomials(channels, 2**layers if operator == "star" else 1, bias=bias)


def printed_form(channels: int) -> int:
    """Return (d√2)² = 2 d², the implicit dimension of one star layer as printed in some copies of the abstract."""
    return 2 * channels**2


def paper_growth(channels: int, layers: int) -> float:
    """Return (d/√2)^(2^l), the paper's order of growth after l layers (Ma et al. 2024, section 3.2)."""
    return (channels / 2**0.5) ** (2**layers)


def evaluate(
    operator: str,
    channels: int,
    *,
    bias: bool,
    layers: int,
    functions: int,
    points: int,
    rng: np.random.Generator,
    vary: str = "all",
    modulo: int | None = PRIME,
) -> NDArray:
    """Evaluate one output channel of many random networks at many random points.

    Parameters
    ----------
    operator : str
        star or sum.
    channels : int
        Width d of the input and of every layer but the last, which has one channel.
    bias : bool
        Whether the branches have biases.
    layers, functions, points : int
        Numbers of layers, of weight settings and of points.
    rng : numpy Generator
        Draws points first, then weights.
    vary : str
        ``all``: every weight setting has its own weights. ``last``: all share the layers below the last.
    modulo : int or None
        A prime below 2^31, to compute with integers modulo it; None to compute in float64 on normal values.

    Returns
    -------
    ndarray of shape (points, functions)
        int64 in [0, modulo), or float64.
    """
    join = np.multiply if operator == "star" else np.add

    def draw(*shape: int) -> NDArray:
        return rng.standard_normal(shape) / channels**0.5 if modulo is None else rng.integers(0, modulo, shape)

    def reduce(values: NDArray) -> NDArray:
        return values if modulo is None else values % modulo

    def branch(x: NDArray, sets: int, outputs: int) -> NDArray:
        """Map (1 or sets, points, d) to (sets, points, outputs); one term at a time, so that int64 never overflows."""
        weight = draw(sets, outputs, channels)
        total = np.broadcast_to(draw(sets, 1, outputs) if bias else 0, (sets, x.shape[1], outputs))
        for i in range(channels):
            total = reduce(total + x[..., i, None] * weight[:, None, :, i])
        return total

    x = draw(1, points, channels) * (1 if modulo else channels**0.5)
    for layer in range(1, layers + 1):
        last = layer == layers
        sets = functions if last or vary == "all" else 1
        outputs = 1 if last else channels
        x = reduce(join(branch(x, sets, outputs), branch(x, sets, outputs)))
    return x[..., 0].T


def rank_modulo(matrix: NDArray, prime: int = PRIME) -> int:
    """Compute the rank over the integers modulo a prime below 2^31, by Gaussian elimination.

    It is a lower bound on the rank over the rationals of every integer matrix with these remainders.
    """
    a = matrix.astype(np.int64) % prime
    rank = 0
    while a.any():
        if not a[:, 0].any():
            a = a[:, 1:]
            continue
        pivot = np.flatnonzero(a[:, 0])[0]
        a[[0, pivot]] = a[[pivot, 0]]
        row = a[0, 1:] * pow(int(a[0, 0]), -1, prime) % prime
        a = (a[1:, 1:] - a[1:, :1] * row) % prime  # stays above -2^62
        rank += 1
    return rank


def float_rank(matrix: NDArray, expected: int) -> tuple[int, float]:
    """Compute the rank of a float64 matrix by its singular values, and the gap behind the expected one.

    Columns are first scaled to norm 1. The rank is the number of singular values above the largest times the larger
    side times the float64 spacing (numpy's rule).

    Returns
    -------
    rank : int
    gap : float
        Singular value number `expected` over the next one. Far above 1: floating point resolves the rank; near 1: it
        does not, and only the exact rank counts.
    """
    singular = np.linalg.svd(matrix / np.linalg.norm(matrix, axis=0), compute_uv=False)
    threshold = singular[0] * max(matrix.shape) * np.finfo(float).eps
    return int((singular > threshold).sum()), float(singular[expected - 1] / singular[expected])


def count_dimensions(largest: int, seed: int = 0) -> pd.DataFrame:
    """Count the implicit dimension of one layer for every number of channels from 1 to `largest`.

    More functions are drawn than the printed form 2 d², so that a rank of that size would be found.

    Returns
    -------
    DataFrame
        One row for each operator, bias and number of channels: ``functions`` drawn, ``rank`` modulo the prime,
        ``float_rank``, ``float_gap``, ``closed_form``, ``proved`` (rank equals closed form), ``printed_form`` and
        ``printed_attainable`` (whether it is within the upper bound).
    """
    rows = []
    for operator in ("star", "sum"):
        for bias in (True, False):
            for channels in range(1, largest + 1):
                bound = closed_form(operator, channels, bias=bias)
                rows.append(
                    {
                        "operator": operator,
                        "bias": bias,
                        "channels": channels,
                        **_count(operator, channels, bias, 1, max(bound, printed_form(channels)) + SPARE, seed),
                        "printed_form": printed_form(channels),
                        "printed_attainable": printed_form(channels) <= bound,
                    }
                )
    return pd.DataFrame(rows)


def count_growth(layers: int, largest: int, limit: int, seed: int = 0) -> pd.DataFrame:
    """Count the implicit dimension of stacked star layers of constant width.

    Parameters
    ----------
    layers : int
        Largest number of layers.
    largest : int
        Largest number of channels.
    limit : int
        Sizes whose closed form is above it are left out, because elimination takes time cubic in it.
    seed : int
        Seed of the random points and weights.

    Returns
    -------
    DataFrame
        One row for each bias, depth and number of channels: the ranks as in `count_dimensions`, ``rank_last`` (the
        rank when only the last layer's weights vary) with ``closed_form_last``, that of one layer, ``paper``
        ((d/√2)^(2^l)) and ``parameters`` (weights and biases of a stack with one output channel).
    """
    rows = []
    for bias in (True, False):
        for depth in range(1, layers + 1):
            for channels in range(1, largest + 1):
                bound = closed_form("star", channels, bias=bias, layers=depth)
                if bound > limit:
                    continue
                one_layer = closed_form("star", channels, bias=bias)
                rows.append(
                    {
                        "layers": depth,
                        "bias": bias,
                        "channels": channels,
                        **_count("star", channels, bias, depth, bound + SPARE, seed),
                        "rank_last": rank_modulo(
                            evaluate(
                                "star",
                                channels,
                                bias=bias,
                                layers=depth,
                                functions=one_layer + SPARE,
                                points=one_layer + SPARE,
                                rng=np.random.default_rng(seed),
                                vary="last",
                            )
                        ),
                        "closed_form_last": one_layer,
                        "paper": paper_growth(channels, depth),
                        "parameters": 2 * (channels + bias) * (channels * (depth - 1) + 1),
                    }
                )
    return pd.DataFrame(rows)


def write(settings: Settings, folder: Path) -> None:
    """Count the ranks and write ``dimension.csv`` (`count_dimensions`) and ``growth.csv`` (`count_growth`)."""
    write_csv(folder / "dimension.csv", count_dimensions(settings.dimensions))
    write_csv(folder / "growth.csv", count_growth(settings.layers, settings.dimensions, settings.growth_limit))


def _count(operator: str, channels: int, bias: bool, layers: int, functions: int, seed: int) -> dict[str, object]:
    """Count the rank exactly and in float64, next to the closed form."""
    bound = closed_form(operator, channels, bias=bias, layers=layers)

    def values(modulo: int | None) -> NDArray:
        size = {"functions": functions, "points": functions}
        rng = np.random.default_rng(seed)
        return evaluate(operator, channels, bias=bias, layers=layers, rng=rng, modulo=modulo, **size)

    rank = rank_modulo(values(PRIME))
    in_float, gap = float_rank(values(None), bound)
    return {
        "functions": functions,
        "rank": rank,
        "float_rank": in_float,
        "float_gap": gap,
        "closed_form": bound,
        "proved": rank == bound,
    }
