"""Which channels detect which known features, with exact masks: units per concept and concepts per unit.

As Network Dissection (Bau et al. 2017, arXiv 1704.05796; survey of it: Zhang and Zhu 2018, arXiv 1804.11191): a channel
is on at the positions where it is in the largest 4 % of its values over all images, and it detects a feature if the
intersection over union of these positions with the feature's mask is above 0.04. Masks are known here instead of drawn
by hand: the positions of a map whose centre is in the tile of the feature, or which have the centre of the tile.
Channels that detect several features, which the outputs nevertheless tell apart, are what superposition looks like.
"""

import numpy as np
import torch
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.known_images import UNKNOWN, Known, known_in
from lowparam.interference.measurement import Value, undefined
from lowparam.interference.one_pass import Batch, collect
from lowparam.models.blocks import Site

__all__ = ["masks", "measure", "overlaps"]

PLACE = 320
NEEDS = ("pooled", "network")
VALUES = {
    "concepts_per_unit": {
        "means": "known features that a channel detects, mean over channels that detect any",
        "range": "0 to n",
        "null": "masks of other images",
        "at": "stream at the end of a stage",
    },
    "units_per_concept": {
        "means": "channels that detect a known feature, mean over features",
        "range": "0 to C",
        "null": "masks of other images",
        "at": "stream at the end of a stage",
    },
    "detected_features": {
        "means": "known features that some channel detects",
        "range": "0 to n",
        "null": "masks of other images",
        "at": "stream at the end of a stage",
    },
}
SUMMARY = {
    "concepts_per_unit_last": {
        "place": 920,
        "value": "concepts_per_unit",
        "sites": "last",
        "means": "known features that a channel of the last block detects, of those that detect any",
    },
    "units_per_concept_last": {
        "place": 921,
        "value": "units_per_concept",
        "sites": "last",
        "means": "channels of the last block that detect a known feature",
    },
}

IMAGES = 400
"""Most images that are read, at all positions."""
QUANTILE = 0.04
OVERLAP = 0.04


class _Maps:
    """All positions of the maps of each site, (N, positions, C) in the order of the images."""

    def __init__(self) -> None:
        self.read: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def add(self, name: str, site: Site, maps: Tensor, batch: Batch) -> None:
        """Keep the maps of a batch."""
        self.read.setdefault(name, []).append((batch.index.cpu(), maps.float().cpu()))

    def of(self, name: str) -> Tensor:
        """Return the maps of a site."""
        index, maps = (torch.cat(parts) for parts in zip(*self.read[name], strict=True))
        return maps[index.argsort()]


def measure(context: Context) -> list[Value]:
    """Measure the streams at the ends of stages."""
    known, ends = known_in(context), context.stage_ends
    if known is None:
        return [undefined("concepts_per_unit", UNKNOWN, site=name, kind="stream") for name in ends]
    step = max(1, -(-len(known) // IMAGES))
    some = Known(known.inputs[::step], known.present[::step], known.places[::step], known.tiles)
    maps = _Maps()
    collect(context.net, {name: context.sites[name] for name in ends}, some, own=[maps], positions=1)
    values = []
    for name in ends:
        values += _measure_site(name, maps.of(name), some)
    return values


def masks(known: Known, side: int) -> Tensor:
    """Return where each feature is on a map of side x side positions, bool (N, positions, n)."""
    centres = (np.arange(side) + 0.5) / side
    in_tile = np.floor(centres * known.tiles).astype(int)  # the tile that each row of positions is in
    holds = np.floor((np.arange(known.tiles) + 0.5) / known.tiles * side).astype(int)  # the row with its centre
    rows = (in_tile[:, None] == np.arange(known.tiles)) | (np.arange(side)[:, None] == holds)  # (side, tiles)
    covers = torch.from_numpy(np.einsum("ya,xb->yxab", rows, rows).reshape(side * side, known.tiles**2))
    return covers[:, known.places].permute(1, 0, 2) & known.present[:, None]


def overlaps(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the intersection over union of each channel's largest values with each mask, float64 (C, n).

    Parameters
    ----------
    maps : Tensor
        (N, positions, C).
    masks : Tensor
        bool (N, positions, n).
    """
    values, truth = maps.flatten(0, 1).double(), masks.flatten(0, 1).double()
    on = (values > torch.quantile(values, 1 - QUANTILE, dim=0)).double()
    both = on.T @ truth
    union = on.sum(0)[:, None] + truth.sum(0) - both
    return torch.where(union > 0, both / union.clamp(min=1), 0.0)


def _measure_site(name: str, maps: Tensor, known: Known) -> list[Value]:
    where = {"site": name, "kind": "stream", "n": known.features, "m": maps.shape[2]}
    side = round(maps.shape[1] ** 0.5)
    if side**2 != maps.shape[1]:
        return [undefined("concepts_per_unit", f"the map has {maps.shape[1]} positions, which is no square", **where)]
    if not maps.isfinite().all():
        return [undefined("concepts_per_unit", "activations are not finite", **where)]
    where_it_is = masks(known, side)
    found = _counts(overlaps(maps, where_it_is))
    null = [_counts(overlaps(maps, where_it_is.roll(shift, 0))) for shift in range(1, 4)]
    return [
        Value(key, value=value, null=float(np.mean(by_chance)), null_sd=float(np.std(by_chance, ddof=1)), **where)
        for key, value in found.items()
        for by_chance in [[each[key] for each in null]]
    ]


def _counts(overlap: Tensor) -> dict[str, float]:
    detects = overlap > OVERLAP
    units = detects.any(1)
    return {
        "concepts_per_unit": detects[units].sum(1).double().mean().item() if units.any() else 0.0,
        "units_per_concept": detects.sum(0).double().mean().item(),
        "detected_features": detects.any(0).sum().item(),
    }
