"""Class geometry: how far the classes have collapsed to points, and how evenly these points are spread.

The measures of neural collapse (Papyan, Han & Donoho 2020, arXiv 2008.08186; the forms are those of Dang et al. 2023,
arXiv 2301.00437), on held-out images, on the pooled map of each stream. With class means mu_k, M_k = mu_k - mu, the
covariance S_W within classes and S_B = M'M / K between them:

NC1 = tr(S_W S_B^+) / K: how much images of a class differ, in units of how much classes do; here its logarithm.
NC2 = | MM' / |MM'| - (I - 11'/K) / sqrt(K - 1) |: how far the means are from a simplex, in which all classes are alike.

A simplex of K points needs K - 1 dimensions. In C < K - 1 channels classes must overlap: NC2 is at least
sqrt(2 - 2 sqrt(C / (K - 1))), derived for this package. A network that has learned nothing has an NC1 that grows with
the number of images of a class, so the shuffled value is next to it. `separation_rate` is the slope of log NC1 over
the blocks (He & Su 2022, arXiv 2210.17020, report a constant rate), negative where blocks separate classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import Batch
from lowparam.interference.sums import Pooled, zeros
from lowparam.models.blocks import Site

__all__ = ["Scatter", "Sums", "forced_nc2", "measure", "measure_site", "nc1", "nc2"]

PLACE = 64
NEEDS = ("pooled", "own sums")
COST = 0.16
VALUES = {
    "log_nc1": {
        "means": "log10 of NC1: how much images of a class differ, in units of how much classes do",
        "range": "any",
        "null": "shuffled labels",
        "at": "stream",
    },
    "nc2": {
        "means": "NC2: distance of the class means from a simplex",
        "range": "0 to 1.41",
        "null": "random means in as many channels",
        "at": "stream",
    },
    "nc2_floor": {
        "means": "least NC2 of C channels, above 0 only if C < K - 1",
        "range": "0 to 1.41",
        "null": "none",
        "at": "stream",
    },
    "separation_rate": {
        "means": "slope of log10 NC1 over the blocks",
        "range": "any, a block",
        "null": "none",
        "at": "stream (last)",
    },
}
SUMMARY = {
    "log_nc1_last": {"value": "log_nc1", "sites": "last", "means": "log10 NC1 at the last block"},
    "nc2_last": {"value": "nc2", "sites": "last", "means": "NC2 at the last block"},
    "separation_rate": {"value": "separation_rate", "means": "slope of log10 NC1 over the blocks"},
}
SHUFFLES = 10
"""Shuffles of the labels behind the null."""


@dataclass
class Scatter:
    """Sums of pooled maps, float64.

    ``outer`` (folds, C, C): outer products. ``shuffled`` (draws, K, C): pooled maps by class of shuffled labels.
    """

    outer: Tensor
    shuffled: Tensor


class Sums:
    """Sums of pooled maps at each stream, `at[name]`."""

    def __init__(self, context: Context) -> None:
        labels, generator = context.images.labels.numpy(), np.random.default_rng(0)
        self.wrong = np.stack([generator.permutation(labels) for _ in range(SHUFFLES)])
        self.classes, self.folds = len(context.images.classes), context.settings.folds
        self.at: dict[str, Scatter] = {}

    def add(self, name: str, site: Site, maps: Tensor, batch: Batch) -> None:
        """Add the maps (N, positions, C) of a stream."""
        if site.kind != "stream":
            return
        channels, where = maps.shape[2], {"device": maps.device}
        if name not in self.at:
            shapes = ((self.folds, channels, channels), (SHUFFLES, self.classes, channels))
            self.at[name] = Scatter(*(zeros(*shape, **where) for shape in shapes))
        pooled = maps.mean(1).double()
        for fold in batch.folds.unique().tolist():
            chosen = pooled[batch.folds == fold]
            self.at[name].outer[fold] += chosen.T @ chosen
        wrong = torch.from_numpy(self.wrong[:, batch.index.cpu().numpy()]).to(maps.device)
        self.at[name].shuffled += nn.functional.one_hot(wrong, self.classes).double().transpose(1, 2) @ pooled


def nc1(images: Tensor, total: Tensor, outer: Tensor) -> float:
    """Return NC1, above 0; NaN where the classes do not differ.

    Parameters
    ----------
    images : Tensor
        (K,): images of each class, all above 0.
    total : Tensor
        (K, C): sums of their pooled maps.
    outer : Tensor
        (C, C): sum of the outer products of all.
    """
    means, count = total / images[:, None], images.sum()
    within = (outer - (means * images[:, None]).T @ means) / count
    centred = means - total.sum(0) / count
    between = centred.T @ centred / len(images)
    # Of rank K - 1 at most; what is below is rounding.
    values, vectors = torch.linalg.eigh(between)
    kept = values > 1e-8 * values[-1]
    if not kept.any() or not values[-1] > 0:
        return float("nan")
    spread = ((vectors[:, kept].T @ within) * vectors[:, kept].T).sum(1)
    return ((spread / values[kept]).sum() / len(images)).item()


def nc2(means: Tensor) -> Tensor:
    """Return NC2 of class means (..., K, C): 0 for a simplex, below sqrt 2."""
    centred = means - means.mean(-2, keepdim=True)
    gram = centred @ centred.mT
    classes = means.shape[-2]
    simplex = torch.eye(classes).to(gram) - 1 / classes
    return (gram / gram.norm(dim=(-2, -1), keepdim=True) - simplex / (classes - 1) ** 0.5).norm(dim=(-2, -1))


def forced_nc2(classes: int, channels: int) -> float:
    """Return the least NC2 that `channels` allow: that of a flat spectrum of as many directions."""
    return (2 - 2 * min(1.0, channels / (classes - 1)) ** 0.5) ** 0.5


def measure(context: Context) -> list[Value]:
    """Measure every stream, and the slope over all of them."""
    sums, values, logarithms = context.sums["class_geometry"].at, [], []
    for name, site in context.streams.items():
        values += measure_site(context, name, site, context.pooled.get(name), sums.get(name))
        logarithms += [value.value for value in values[-3:] if value.measure == "log_nc1"]
    if not context.streams:
        return values
    last = {"site": list(context.streams)[-1], "kind": "stream", "n": len(logarithms)}
    if len(logarithms) < 3 or not np.isfinite(logarithms).all():
        return [*values, undefined("separation_rate", "it needs NC1 at 3 blocks at least, and at all", **last)]
    slope = float(np.polyfit(np.arange(len(logarithms)), logarithms, 1)[0])
    return [*values, Value("separation_rate", value=slope, **last)]


def measure_site(
    context: Context, name: str, site: Site, pooled: Pooled | None, scatter: Scatter | None
) -> list[Value]:
    """Return log NC1 and NC2 of the classes that have images, with intervals over images, and the floor of NC2."""
    where = {"site": name, "kind": site.kind}
    if pooled is None or scatter is None:
        return [undefined("log_nc1", "the site was not read", **where)]
    present = pooled.images.sum(0) > 0
    images, total = pooled.images[:, present], pooled.total[:, present]
    classes, channels = total.shape[1:]
    shape = {**where, "n": classes, "m": channels}
    if classes < 3:
        return [undefined("log_nc1", f"it needs images of at least 3 classes, not {classes}", **shape)]
    if not torch.isfinite(total).all():
        return [undefined("log_nc1", "activations are not finite", **shape)]
    filled = torch.nonzero(images.sum(1) > 0).flatten().tolist()
    parts = [
        (images.sum(0) - images[fold], total.sum(0) - total[fold], scatter.outer.sum(0) - scatter.outer[fold])
        for fold in filled
    ]
    parts = [part for part in parts if (part[0] > 0).all()]
    whole = (images.sum(0), total.sum(0), scatter.outer.sum(0))
    value = np.log10(nc1(*whole))
    if not np.isfinite(value):
        return [undefined("log_nc1", "the pooled map does not differ between classes, or not within them", **shape)]
    lower, upper = interval(value, np.log10([nc1(*part) for part in parts]))
    drawn = np.log10([nc1(whole[0], wrong[present], whole[2]) for wrong in scatter.shuffled])
    null = {"null": float(drawn.mean()), "null_sd": float(drawn.std(ddof=1))}
    first = Value("log_nc1", value=float(value), lower=lower, upper=upper, **null, **shape)

    value = nc2(whole[1] / whole[0][:, None]).item()
    lower, upper = interval(value, [nc2(total / images[:, None]).item() for images, total, _ in parts])
    generator = torch.Generator().manual_seed(0)
    random = nc2(torch.randn(context.settings.null_draws, classes, channels, generator=generator))
    null = {"null": random.mean().item(), "null_sd": random.std().item()}
    return [
        first,
        Value("nc2", value=value, lower=lower, upper=upper, **null, **shape),
        Value("nc2_floor", value=forced_nc2(classes, channels), **shape),
    ]
