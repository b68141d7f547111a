"""M3, log CI: whether the contributions to an output channel of a pointwise layer add up or cancel.

log CI_o = log(w_o' S w_o / sum_c w_oc^2 S_cc), with S the covariance of the layer's input: the variance of the output
over what it would be if the input channels were uncorrelated. 0 for uncorrelated inputs, positive where contributions
add, negative where they cancel. Derived for this package; that correlated features can interfere constructively is
shown by Prieto et al. 2026 (arXiv 2603.09972).
"""

from typing import Any

import torch
from torch import Tensor

from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.pointwise import pointwise_matrix
from lowparam.interference.sums import Moments
from lowparam.models.blocks import Site

__all__ = ["log_ci", "log_ratio", "measure", "measure_site", "quantiles"]

DEFAULT = True
PLACE = 20
NEEDS = ("sums",)
COST = 0.05
VALUES = {
    "log_ci": {
        "means": "log CI: whether the contributions to an output add up (+) or cancel (-), mean over outputs",
        "range": "any, in nats",
        "null": "0, uncorrelated inputs",
        "at": "pointwise layers",
    },
    "log_ci_p10": {
        "means": "10 % quantile of log CI over outputs",
        "range": "any, in nats",
        "null": "0",
        "at": "pointwise layers",
    },
    "log_ci_p90": {
        "means": "90 % quantile of log CI over outputs",
        "range": "any, in nats",
        "null": "0",
        "at": "pointwise layers",
    },
}
SUMMARY = {
    "log_ci_projection": {
        "place": 160,
        "value": "log_ci",
        "kinds": ("projection", "reduction"),
        "means": "mean log CI of projections and reductions",
    },
}


def log_ci(matrix: Tensor, covariance: Tensor) -> Tensor:
    """Return log CI of each output channel in nats.

    Parameters
    ----------
    matrix : Tensor
        Weights of shape (outputs, inputs).
    covariance : Tensor
        Covariance of the inputs, of shape (inputs, inputs).

    Returns
    -------
    Tensor
        Shape (outputs,); NaN for an output that does not vary.
    """
    return log_ratio(((matrix @ covariance) * matrix).sum(1), matrix**2 @ covariance.diagonal())


def log_ratio(together: Tensor, apart: Tensor) -> Tensor:
    """Return the log of the ratio of two variances, elementwise; NaN where they vanish."""
    # A sum that cancels down to rounding error has no meaningful logarithm.
    return torch.where(together > 1e-12 * apart, together / apart, torch.nan).log()


def _without_each_fold(matrix: Tensor, inputs: Moments) -> Tensor:
    """Return log CI (folds with images, outputs), each without one fold, from sums projected on the outputs."""
    filled = inputs.count > 0
    square = inputs.outer.diagonal(dim1=1, dim2=2)

    def variance(of_squares: Tensor, of_values: Tensor) -> Tensor:
        left = inputs.count.sum() - inputs.count[filled, None]
        mean = (of_values.sum(0) - of_values[filled]) / left
        return (of_squares.sum(0) - of_squares[filled]) / left - mean**2

    together = variance(((matrix @ inputs.outer) * matrix).sum(2), inputs.total @ matrix.T)
    return log_ratio(together, variance(square, inputs.total) @ (matrix**2).T)


def measure(context: Context) -> list[Value]:
    """Measure every pointwise layer."""
    values = []
    for name, site in context.sites.items():
        if site.pointwise is not None:
            values += measure_site(name, site, context.inputs.get(name))
    return values


def measure_site(name: str, site: Site, inputs: Moments | None) -> list[Value]:
    """Return the mean of log CI over output channels, and its 10 % and 90 % quantiles; the null is 0."""
    where = {"site": name, "kind": site.kind}
    try:
        matrix = pointwise_matrix(site.pointwise)
    except LowparamError as error:
        return [undefined("log_ci", str(error), **where)]
    if inputs is None:
        return [undefined("log_ci", "the pointwise layer never ran", **where)]
    shape = {**where, "n": matrix.shape[1], "m": matrix.shape[0]}
    every = log_ci(matrix, inputs.covariance())
    alive = torch.isfinite(every)
    if not alive.any():
        finite = torch.isfinite(matrix).all() and torch.isfinite(inputs.total).all()
        reason = "no output channel varies over the images" if finite else "weights or activations are not finite"
        return [undefined("log_ci", reason, **shape)]
    return quantiles(every, _without_each_fold(matrix, inputs), **shape)


def quantiles(every: Tensor, left_out: Tensor, **where: Any) -> list[Value]:
    """Return the mean of log CI (C,), its interval from the values without each fold (folds, C), and quantiles."""
    alive = torch.isfinite(every)
    value = every[alive].mean().item()
    # Without a fold, an output that varies in that fold alone would be NaN; it counts where it is defined.
    lower, upper = interval(value, left_out[:, alive].nanmean(1).cpu().numpy())
    tenth, ninetieth = torch.quantile(every[alive], torch.tensor([0.1, 0.9]).to(every)).tolist()
    note = f"{(~alive).sum().item()} constant outputs dropped" if not alive.all() else ""
    return [
        Value("log_ci", value=value, lower=lower, upper=upper, null=0.0, note=note, **where),
        Value("log_ci_p10", value=tenth, null=0.0, note=note, **where),
        Value("log_ci_p90", value=ninetieth, null=0.0, note=note, **where),
    ]
