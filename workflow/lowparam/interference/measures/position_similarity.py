"""Position similarity: how alike the channel vectors at two positions of one image are.

The measure in the public code of the first author of Hollard et al. 2025 (github.com/LilianHollard/NanoViT,
models/lutils.py): at a block's output, each position's vector is scaled to length 1 over channels, the Gram matrix
between positions gets a zero diagonal, and the mean of all its entries is taken. It is about positions in activation
space, not about directions or channels, so it has a name of its own and is not called interference.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import Batch
from lowparam.interference.sums import Pooled, zeros
from lowparam.models.blocks import Site

__all__ = ["Sums", "UnitVectors", "measure", "measure_site"]

DEFAULT = True
PLACE = 70
NEEDS = ("pooled", "own sums")
COST = 0.005
VALUES = {
    "position_similarity": {
        "means": "how alike the channel vectors at two positions of one image are",
        "range": "-1 to 1",
        "null": "positions of different images",
        "at": "stream",
    },
}
SUMMARY = {
    "position_similarity": {
        "place": 180,
        "value": "position_similarity",
        "kinds": ("stream",),
        "means": "mean position similarity of the streams",
    },
}


@dataclass
class UnitVectors:
    """Sums over images of the unit vectors of all positions, per fold, float64.

    ``similarity`` (folds,): mean similarity of two positions. ``direction`` (folds, C): summed unit vectors.
    ``length`` (folds,): squared norm of an image's summed unit vectors.
    """

    similarity: Tensor
    direction: Tensor
    length: Tensor


class Sums:
    """Sums of unit vectors at each stream, `at[name]`."""

    def __init__(self, context: Context) -> None:
        self.folds = context.settings.folds
        self.at: dict[str, UnitVectors] = {}

    def add(self, name: str, site: Site, maps: Tensor, batch: Batch) -> None:
        """Add the maps (N, positions, C) of a stream."""
        if site.kind != "stream":
            return
        count, channels = maps.shape[1:]
        if name not in self.at:
            shapes = ((self.folds,), (self.folds, channels), (self.folds,))
            self.at[name] = UnitVectors(*(zeros(*shape, device=maps.device) for shape in shapes))
        norm = maps.norm(dim=2)
        to_unit = 1 / norm.clamp(min=1e-12)
        summed = torch.bmm(to_unit[:, None], maps)[:, 0].double()
        length = (summed**2).sum(1)
        itself = ((norm * to_unit).double() ** 2).sum(1)
        self.at[name].similarity.index_add_(0, batch.folds, (length - itself) / count**2)
        self.at[name].direction.index_add_(0, batch.folds, summed)
        self.at[name].length.index_add_(0, batch.folds, length)


def measure(context: Context) -> list[Value]:
    """Measure every stream."""
    sums = context.sums["position_similarity"].at
    return [
        value
        for name, site in context.streams.items()
        for value in measure_site(name, site, context.pooled.get(name), sums.get(name))
    ]


def measure_site(name: str, site: Site, pooled: Pooled | None, unit: UnitVectors | None) -> list[Value]:
    """Return the mean over images, between -1 and 1; the null takes the two positions from different images."""
    where = {"site": name, "kind": site.kind}
    if pooled is None or unit is None:
        return [undefined("position_similarity", "the site was not read", **where)]
    count = pooled.images.sum(1)
    shape = {**where, "n": pooled.positions, "m": pooled.total.shape[2]}
    if pooled.positions < 2:
        return [undefined("position_similarity", "the map has one position", **shape)]
    value = (unit.similarity.sum() / count.sum()).item()
    if value != value:
        return [undefined("position_similarity", "activations are not finite", **shape)]
    filled = count > 0
    left_out = (unit.similarity.sum() - unit.similarity[filled]) / (count.sum() - count[filled])
    lower, upper = interval(value, left_out.cpu().numpy())
    # All pairs of positions of two different images, scaled by the share of entries off the diagonal.
    images, positions = count.sum().item(), pooled.positions
    between = (torch.sum(unit.direction.sum(0) ** 2) - unit.length.sum()).item()
    pairs = images * (images - 1) * positions**2
    null = between / pairs * (positions - 1) / positions if pairs else float("nan")
    return [Value("position_similarity", value=value, lower=lower, upper=upper, null=null, **shape)]
