"""M3 where two branches are joined: log CI of the joined map itself, activation included.

The logarithm of a channel's variance over what it would be if the two branches were independent,
E f² E g² - (E f)² (E g)² for a product and var f + var g for a sum. Derived for this package.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, undefined
from lowparam.interference.measures.constructive_interference import log_ratio, quantiles
from lowparam.interference.sums import Moments
from lowparam.models.blocks import Site

__all__ = ["measure", "measure_site"]

DEFAULT = True
PLACE = 80
NEEDS = ("sums",)
VALUES = {
    "log_ci": {
        "means": "log CI of the joined map: its variance over that with independent branches, mean over channels",
        "range": "any, in nats",
        "null": "0, independent branches",
        "at": "product, sum",
    },
    "log_ci_p10": {
        "means": "10 % quantile of log CI over channels",
        "range": "any, in nats",
        "null": "0",
        "at": "product, sum",
    },
    "log_ci_p90": {
        "means": "90 % quantile of log CI over channels",
        "range": "any, in nats",
        "null": "0",
        "at": "product, sum",
    },
}
SUMMARY = {
    "log_ci_join": {
        "place": 90,
        "value": "log_ci",
        "kinds": ("product", "sum"),
        "means": "mean log CI of the maps that are the product or the sum of two branches",
    },
}


def measure(context: Context) -> list[Value]:
    """Measure every map that joins two branches."""
    values = []
    for name, site in context.sites.items():
        if site.factors:
            layers = [n for n, other in context.sites.items() if any(other.pointwise is f for f in site.factors)]
            branches = [context.outputs.get(branch) for branch in layers]
            values += measure_site(name, site, branches, context.outputs.get(name))
    return values


def measure_site(name: str, site: Site, branches: Sequence[Moments | None], outputs: Moments | None) -> list[Value]:
    """Return log CI of the joined channels, mean and quantiles; the null is 0, independent branches.

    Parameters
    ----------
    name, site
        A site with ``factors``; others have no such values.
    branches : sequence of Moments or None
        Sums over the two maps that are joined.
    outputs : Moments or None
        Sums over the joined map.

    Returns
    -------
    list of Value
        In nats.
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
    log_ci = log_ratio(variance[2], independent[site.kind])
    if not torch.isfinite(log_ci[0]).any():
        finite = torch.isfinite(outputs.total).all()
        reason = "no channel varies over the images" if finite else "activations are not finite"
        return [undefined("log_ci", reason, **shape)]
    return quantiles(log_ci[0], log_ci[1:], **shape)


def _without_each_fold(moments: Moments) -> tuple[Tensor, Tensor]:
    """Return mean and mean square of each channel (1 + folds with images, C): of all images, then without each fold."""
    filled = moments.count > 0
    count, *sums = (
        torch.cat([by_fold.sum(0)[None], by_fold.sum(0) - by_fold[filled]])
        for by_fold in (moments.count, moments.total, moments.outer.diagonal(dim1=1, dim2=2))
    )
    return sums[0] / count[:, None], sums[1] / count[:, None]
