"""M4, capacity used: in how many directions of its channels a feature map varies.

The participation ratio tr(S)^2 / tr(S^2) of the covariance S, as a share of the channels. It says nothing about
superposition: toy models from 1.7 to 11 features per dimension all have a share near 1. A covariance from few images
makes the ratio too small, and positions of one image are no independent samples. So the numerator and the
denominator are taken across folds of images, sum over a != b of tr(S_a) tr(S_b) and of tr(S_a S_b), which are
unbiased (compare Chun, Canatar, Chung & Lee 2026, arXiv 2509.26560, on the bias of the plain ratio).
"""

import torch
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.sums import Moments
from lowparam.models.blocks import Site

__all__ = ["measure", "measure_site", "participation", "participation_across_folds"]

DEFAULT = True
PLACE = 40
NEEDS = ("sums",)
COST = 0.06
VALUES = {
    "capacity_used": {
        "means": "participation ratio of the covariance over channels, over C; no measure of superposition",
        "range": "1/C to about 1",
        "null": "uncorrelated channels of the same variances",
        "at": "all",
    },
}
SUMMARY = {
    "capacity_used_join": {
        "place": 100,
        "value": "capacity_used",
        "kinds": ("product", "sum"),
        "means": "mean capacity used of the maps that are the product or the sum of two branches",
    },
    "lift_join": {
        "place": 120,
        "value": "capacity_used",
        "kinds": ("product", "sum"),
        "take": "dimensions over",
        "over": ("spatial",),
        "means": "participation ratio of the joined map over that of the map that its branches read, in dimensions; "
        "mean over blocks",
    },
    "capacity_used": {
        "place": 170,
        "value": "capacity_used",
        "kinds": ("stream",),
        "means": "mean capacity used of the streams",
    },
}


def participation(covariance: Tensor) -> float:
    """Return the plain participation ratio of a covariance (C, C), from 1 to C; biased down when images are few."""
    return (covariance.trace() ** 2 / (covariance**2).sum()).item()


def participation_across_folds(covariances: Tensor) -> tuple[float, Tensor]:
    """Return the participation ratio from pairs of different folds.

    Parameters
    ----------
    covariances : Tensor
        float64 of shape (folds, C, C), one for each fold of images.

    Returns
    -------
    value : float
        About 1 to C; noise can take it beyond. NaN with fewer than 2 folds.
    left_out : Tensor
        The same without each fold, of shape (folds,).
    """
    trace = covariances.diagonal(dim1=1, dim2=2).sum(1)
    flat = covariances.flatten(1)
    above, below = torch.outer(trace, trace), flat @ flat.T
    above.fill_diagonal_(0), below.fill_diagonal_(0)
    left_out = (above.sum() - 2 * above.sum(1)) / (below.sum() - 2 * below.sum(1))
    return (above.sum() / below.sum()).item(), left_out


def measure(context: Context) -> list[Value]:
    """Measure every feature map."""
    return [
        value for name, site in context.sites.items() for value in measure_site(name, site, context.outputs.get(name))
    ]


def measure_site(name: str, site: Site, outputs: Moments | None) -> list[Value]:
    """Return the participation ratio over channels; the null is that of uncorrelated channels, same variances."""
    where = {"site": name, "kind": site.kind}
    if outputs is None:
        return [undefined("capacity_used", "the site was not read", **where)]
    channels = outputs.channels
    shape = {**where, "n": channels, "m": channels}
    if not torch.isfinite(outputs.total).all():
        return [undefined("capacity_used", "activations are not finite", **shape)]
    covariances = outputs.fold_covariances()
    if len(covariances) < 2:
        return [undefined("capacity_used", "it needs at least 2 folds with images", **shape)]
    deviations, _ = outputs.deviations()
    constant = int((deviations == 0).sum())
    if constant == channels:
        return [undefined("capacity_used", "no channel varies over the images", **shape)]
    value, left_out = participation_across_folds(covariances)
    lower, upper = interval(value / channels, left_out.cpu().numpy() / channels)
    variances = deviations**2
    null = (variances.sum() ** 2 / (variances**2).sum()).item() / channels
    note = f"{constant} constant channels" if constant else ""
    return [Value("capacity_used", value=value / channels, lower=lower, upper=upper, null=null, note=note, **shape)]
