"""Filters and patterns: how far the weights of a pointwise layer turn away from the signal that they read.

For an output y = w'x with inputs scaled to standard deviation 1, the pattern a = R w (R is the correlation of the
inputs) is the direction in which the inputs move when y moves (Kindermans et al. 2017, arXiv 1705.05598, section 3:
the linear estimator). A filter equals its pattern only if there is nothing to cancel: it points away from what
distracts it. `pattern_alignment` is cos(w, R w), mean over outputs weighted by their variance; it is 1 for
uncorrelated inputs, and also for a tight frame of features in superposition, to which it is blind.

Patterns are what encodes the outputs, where the rows of the weights are what decodes them. So
`pattern_dimensionality`, D (as in `dimensionality`) of the patterns, each in units of its output's deviation, estimates
the directions of features from those who read them. In a linear model whose outputs are the least-squares estimates of
features, the patterns are the features' directions.
"""

import torch
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.measures.dimensionality import dimensionality
from lowparam.interference.pointwise import output_factor, pointwise_matrix
from lowparam.interference.sums import Moments
from lowparam.models.blocks import Site

__all__ = ["alignment", "measure", "measure_site", "patterns"]

PLACE = 24
NEEDS = ("sums",)
COST = 0.33
VALUES = {
    "pattern_alignment": {
        "means": "cosine of a filter and its pattern, mean over outputs weighted by variance",
        "range": "0 to 1",
        "null": "filters of random directions on the same inputs",
        "at": "pointwise layers",
    },
    "pattern_dimensionality": {
        "means": "D of the patterns of the outputs",
        "range": "0 to 1",
        "null": "patterns of filters of random directions on the same inputs",
        "at": "pointwise layers",
    },
}
SUMMARY = {
    "pattern_alignment": {
        "value": "pattern_alignment",
        "kinds": ("projection", "reduction"),
        "means": "mean alignment of filters and patterns of projections and reductions",
    },
    "pattern_alignment_null": {
        "value": "pattern_alignment",
        "kinds": ("projection", "reduction"),
        "column": "null",
        "means": "the same of random filters",
    },
}


def patterns(filters: Tensor, correlation: Tensor) -> Tensor:
    """Return the pattern of each filter in units of its output's deviation: the correlation of the inputs with it.

    Parameters
    ----------
    filters : Tensor
        (..., outputs, inputs), for inputs of standard deviation 1.
    correlation : Tensor
        R, (..., inputs, inputs).

    Returns
    -------
    Tensor
        (..., outputs, inputs): R w / sqrt(w' R w); NaN for an output that does not vary.
    """
    encoded = filters @ correlation
    return encoded / (encoded * filters).sum(-1, keepdim=True).sqrt()


def alignment(filters: Tensor, correlation: Tensor, gain: Tensor | None = None) -> Tensor:
    """Return cos(w, R w), mean over the outputs weighted by their variance.

    Parameters
    ----------
    filters, correlation
        As in `patterns`.
    gain : Tensor, optional
        (outputs,): factor of each output, which changes its variance.

    Returns
    -------
    Tensor
        (...,), from 0 to 1, because R has no negative eigenvalue.
    """
    encoded = filters @ correlation
    variance = (encoded * filters).sum(-1)
    cosine = variance / (filters.norm(dim=-1) * encoded.norm(dim=-1))
    weight = variance if gain is None else variance * gain**2
    return (torch.nan_to_num(cosine) * weight).sum(-1) / weight.sum(-1)


def measure(context: Context) -> list[Value]:
    """Measure every pointwise layer."""
    values = []
    for name, site in context.sites.items():
        if site.pointwise is not None:
            values += measure_site(name, site, context.inputs.get(name), draws=context.settings.null_draws)
    return values


def measure_site(name: str, site: Site, inputs: Moments | None, *, draws: int) -> list[Value]:
    """Return the alignment and the dimensionality of the patterns, each next to that of random filters.

    Inputs that do not vary are left out. The parameters are those of `dimensionality.measure_site`.
    """
    where = {"site": name, "kind": site.kind}
    try:
        matrix = pointwise_matrix(site.pointwise)
    except LowparamError as error:
        return [undefined(value, str(error), **where) for value in VALUES]
    if inputs is None:
        return [undefined(value, "the pointwise layer never ran", **where) for value in VALUES]
    gain = output_factor(site, len(matrix))
    if not (torch.isfinite(matrix).all() and torch.isfinite(inputs.total).all()):
        return [undefined(value, "weights or activations are not finite", **where) for value in VALUES]
    deviations, _ = inputs.deviations()
    varies = deviations > 0
    matrix, inputs = matrix[:, varies], _only(inputs, varies)
    shape = {**where, "n": len(matrix), "m": matrix.shape[1]}
    if len(matrix) < 2 or matrix.shape[1] < 2:
        return [undefined(value, "it needs 2 outputs and 2 inputs that vary", **shape) for value in VALUES]
    filters, correlation = _standardised(matrix, inputs.covariance())
    encoded = patterns(filters, correlation)
    alive = torch.isfinite(encoded).all(1)
    if alive.sum() < 2:
        return [undefined(value, "fewer than 2 outputs vary over the images", **shape) for value in VALUES]
    without = _standardised(matrix, _without_each_fold(inputs))
    note = f"{int((~alive).sum())} constant outputs dropped" if not alive.all() else ""

    value = alignment(filters[alive], correlation, gain[alive]).item()
    lower, upper = interval(value, alignment(without[0][:, alive], without[1], gain[alive]).cpu().numpy())
    random = _random_filters(draws, int(alive.sum()), matrix.shape[1]).to(correlation)
    drawn = alignment(random, correlation)
    null = {"null": drawn.mean().item(), "null_sd": drawn.std().item()}
    first = Value("pattern_alignment", value=value, lower=lower, upper=upper, note=note, **null, **shape)

    value = dimensionality(encoded[alive].mT).mean().item()
    left_out = dimensionality(patterns(without[0][:, alive], without[1]).mT).mean(-1)
    lower, upper = interval(value, left_out.cpu().numpy())
    drawn = dimensionality(patterns(random, correlation).mT).mean(-1)
    null = {"null": drawn.mean().item(), "null_sd": drawn.std().item()}
    return [first, Value("pattern_dimensionality", value=value, lower=lower, upper=upper, note=note, **null, **shape)]


def _only(inputs: Moments, chosen: Tensor) -> Moments:
    return Moments(inputs.count, inputs.total[:, chosen], inputs.outer[:, chosen][:, :, chosen])


def _standardised(matrix: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Return filters for inputs of deviation 1, and the correlation of these: of all images, or without each fold."""
    deviation = covariance.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    scale = torch.where(deviation > 0, 1 / deviation, 0)
    return matrix * deviation[..., None, :], covariance * scale[..., None, :] * scale[..., :, None]


def _without_each_fold(inputs: Moments) -> Tensor:
    """Return the covariances (folds with images, C, C), each without one fold."""
    filled = inputs.count > 0
    left = (inputs.count.sum() - inputs.count[filled])[:, None]
    mean = (inputs.total.sum(0) - inputs.total[filled]) / left
    return (inputs.outer.sum(0) - inputs.outer[filled]) / left[..., None] - mean[:, :, None] * mean[:, None]


def _random_filters(draws: int, outputs: int, inputs: int) -> Tensor:
    return torch.randn(draws, outputs, inputs, generator=torch.Generator().manual_seed(0))
