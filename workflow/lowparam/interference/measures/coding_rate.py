"""Coding rate: in how many distinguishable directions the images vary, and how much less those of one class do.

R = 1/2 logdet(I + C / (n e) Z'Z) nats, with the n pooled maps of a stream as rows of Z, scaled to length 1, in C
channels, and the distortion e = 0.5 (Ma et al. 2007; as in CRATE, arXiv 2306.01129). The reduction is the share of R
that is between classes, 1 - sum_k (n_k / n) R_k / R (maximal coding rate reduction: Yu et al. 2020, arXiv 2006.08558;
Ding et al. 2023, arXiv 2301.01805): it compares the subspaces of classes, where `class_geometry` compares means. 0 for
classes that are alike; K classes on K orthogonal lines have the most. Labels of chance have some as well, the more the
fewer images a class has, so compare with the shuffled value, and networks of one budget with each other.
"""

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import Batch
from lowparam.interference.sums import zeros
from lowparam.models.blocks import Site

__all__ = ["DISTORTION", "Sums", "measure", "measure_site", "rate", "reduction"]

PLACE = 66
NEEDS = ("own sums",)
COST = 0.14
VALUES = {
    "coding_rate": {
        "means": "R: coding rate of the pooled maps at distortion 0.5",
        "range": "0 or more, in nats",
        "null": "random directions",
        "at": "stream",
    },
    "rate_reduction": {
        "means": "share of the coding rate that is between classes",
        "range": "0 to 1",
        "null": "shuffled labels",
        "at": "stream",
    },
}
SUMMARY = {
    "coding_rate": {"value": "coding_rate", "kinds": ("stream",), "means": "mean coding rate of the streams"},
    "rate_reduction_last": {
        "value": "rate_reduction",
        "sites": "last",
        "means": "share of the coding rate that is between classes, at the last block",
    },
}
DISTORTION = 0.5
SHUFFLES = 5
"""Shuffles of the labels behind the null."""
MOST = 20_000_000
"""Most numbers of the sums by class of a site; 160 MB."""


class Sums:
    """Outer products of unit vectors at each stream, `at[name]`: (1 + shuffles, folds, K, C, C).

    The null needs no folds: its sums are in the first fold of each shuffle.
    """

    def __init__(self, context: Context) -> None:
        labels, generator = context.images.labels.numpy(), np.random.default_rng(0)
        self.wrong = np.stack([generator.permutation(labels) for _ in range(SHUFFLES)])
        self.classes, self.folds = len(context.images.classes), context.settings.folds
        self.at: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, name: str, site: Site, maps: Tensor, batch: Batch) -> None:
        """Add the maps (N, positions, C) of a stream."""
        channels, device = maps.shape[2], maps.device
        if site.kind != "stream" or (self.folds + SHUFFLES) * self.classes * channels**2 > MOST:
            return
        if name not in self.at:
            shape = (self.classes, channels, channels)
            self.at[name] = zeros(self.folds, *shape, device=device), zeros(SHUFFLES, *shape, device=device)
        unit = nn.functional.normalize(maps.mean(1).double(), dim=1)
        outer = unit[:, :, None] * unit[:, None]
        own, shuffled = self.at[name]
        cell = batch.folds * self.classes + batch.labels
        own.view(-1, channels, channels).index_add_(0, cell, outer)
        for draw, wrong in enumerate(self.wrong[:, batch.index.cpu().numpy()]):
            shuffled[draw].index_add_(0, torch.from_numpy(wrong).to(device), outer)


def rate(outer: Tensor, count: Tensor) -> Tensor:
    """Return the coding rate in nats of unit vectors from the sum of their outer products.

    Parameters
    ----------
    outer : Tensor
        (..., C, C).
    count : Tensor
        (...,): how many vectors; 0 gives 0.
    """
    channels = outer.shape[-1]
    scaled = channels / (count.clamp(min=1) * DISTORTION)[..., None, None] * outer
    return torch.linalg.slogdet(torch.eye(channels).to(outer) + scaled).logabsdet / 2


def reduction(outer: Tensor) -> Tensor:
    """Return the share of the rate that is between classes, from sums by class (..., K, C, C)."""
    count = outer.diagonal(dim1=-2, dim2=-1).sum(-1)  # unit vectors: the trace is their number
    whole = rate(outer.sum(-3), count.sum(-1))
    within = (count * rate(outer, count)).sum(-1) / count.sum(-1)
    return 1 - within / whole


def measure(context: Context) -> list[Value]:
    """Measure every stream."""
    sums = context.sums["coding_rate"].at
    values = []
    for name, site in context.sites.items():
        if site.kind == "stream":
            values += measure_site(name, site, sums.get(name), context.settings.null_draws)
    return values


def measure_site(name: str, site: Site, sums: tuple[Tensor, Tensor] | None, draws: int) -> list[Value]:
    """Return the rate and its reduction, with intervals over images and the values of chance."""
    where = {"site": name, "kind": site.kind}
    if sums is None:
        reason = f"the site was not read, or its classes and channels need more than {MOST:,} numbers"
        return [undefined(value, reason, **where) for value in VALUES]
    own, shuffled = sums
    classes, channels = own.shape[1:3]
    shape = {**where, "n": classes, "m": channels}
    if not torch.isfinite(own).all() or not own.sum(0).any():
        return [undefined(value, "activations are not finite, or all zero", **shape) for value in VALUES]
    whole = own.sum(0)
    filled = own.sum((1, 2, 3)) != 0
    without = whole - own[filled]
    count = whole.diagonal(dim1=1, dim2=2).sum()
    value = rate(whole.sum(0), count).item()
    counts = without.diagonal(dim1=2, dim2=3).sum((1, 2))
    lower, upper = interval(value, rate(without.sum(1), counts).cpu().numpy())
    null = _of_random_directions(round(count.item()), channels, min(draws, 20))
    first = Value(
        "coding_rate",
        value=value,
        lower=lower,
        upper=upper,
        null=null.mean().item(),
        null_sd=null.std().item(),
        **shape,
    )
    share = reduction(whole).item()
    lower, upper = interval(share, reduction(without).cpu().numpy())
    drawn = reduction(shuffled)
    null = {"null": drawn.mean().item(), "null_sd": drawn.std().item()}
    return [first, Value("rate_reduction", value=share, lower=lower, upper=upper, **null, **shape)]


def _of_random_directions(count: int, channels: int, draws: int) -> Tensor:
    """Return the rates of isotropic unit vectors, (draws,)."""
    generator = torch.Generator().manual_seed(0)
    rates = []
    for _ in range(draws):
        unit = nn.functional.normalize(torch.randn(count, channels, generator=generator).double(), dim=1)
        rates.append(rate(unit.T @ unit, torch.tensor(float(count)).double()))
    return torch.stack(rates)
