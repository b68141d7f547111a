"""Similarity of layers: how alike the images are arranged at a stream, at the one before it, and in the pixels.

Linear CKA (Kornblith et al. 2019, arXiv 1905.00414) of pooled maps, in the unbiased form HSIC_1 of Song et al. 2012
(as in Nguyen et al. 2020, arXiv 2010.15327, equation 3; Raghu et al. 2021, arXiv 2108.08810, compare layers with it):
1 for rotated and scaled copies, 0 for unrelated maps. The biased form gives unrelated maps of effective dimensions P
and Q on n images sqrt(PQ) / (n + sqrt(PQ)), 0.6 for 512 channels and 300 images. A few loud directions decide it. `cka`
also compares two networks, or two seeds, at one site.
"""

import numpy as np
import torch
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.pooled_maps import PooledMaps

__all__ = ["Sums", "cka", "hsic", "measure"]

PLACE = 72
NEEDS = ("own sums",)
COST = 2.18
VALUES = {
    "similarity_to_previous": {
        "means": "unbiased linear CKA of the pooled maps of a stream and of the one before it",
        "range": "about 0 to 1",
        "null": "0, unrelated maps",
        "at": "stream",
    },
    "similarity_to_pixels": {
        "means": "unbiased linear CKA of the pooled maps of a stream and of the images",
        "range": "about 0 to 1",
        "null": "0, unrelated maps",
        "at": "stream",
    },
}
SUMMARY = {
    "similarity_to_previous": {
        "value": "similarity_to_previous",
        "means": "mean CKA of a stream and the one before it",
    },
    "similarity_to_pixels_last": {
        "value": "similarity_to_pixels",
        "sites": "last",
        "means": "CKA of the last stream and the images",
    },
}
IMAGES = 500
"""Most images that are compared: the Gram matrices have their square."""


class Sums(PooledMaps):
    """The pooled maps of each stream."""


def hsic(first: Tensor, second: Tensor) -> Tensor:
    """Return the unbiased estimate of HSIC from two Gram matrices (..., n, n), n of at least 4."""
    n = first.shape[-1]
    off = 1 - torch.eye(n).to(first)
    first, second = first * off, second * off
    rows, columns = first.sum(-1), second.sum(-1)
    together = (first * second).sum((-2, -1)) + rows.sum(-1) * columns.sum(-1) / ((n - 1) * (n - 2))
    return (together - 2 / (n - 2) * (rows * columns).sum(-1)) / (n * (n - 3))


def cka(first: Tensor, second: Tensor) -> float:
    """Return the unbiased linear CKA of two maps of the same images, (n, C) and (n, D); NaN where one is constant.

    About 0 to 1; noise can take it below 0.
    """
    first, second = first.double(), second.double()
    grams = [x @ x.T for x in (first - first.mean(0), second - second.mean(0))]
    own = hsic(grams[0], grams[0]) * hsic(grams[1], grams[1])
    return (hsic(*grams) / own.sqrt()).item() if own > 0 else float("nan")


def measure(context: Context) -> list[Value]:
    """Measure every stream, on at most 500 images."""
    kept: Sums = context.sums["layer_similarity"]  # pyrefly: ignore[bad-assignment]: this file has made it
    values = []
    index = spread(context.images, IMAGES)
    pixels = context.images.pixels(index).flatten(1)
    folds = torch.from_numpy(index % context.settings.folds)
    before = None
    for name, site in context.streams.items():
        where = {"site": name, "kind": site.kind}
        if name not in kept:
            values += [undefined(value, "the site was not read", **where) for value in VALUES]
            before = None
            continue
        maps = kept[name][torch.from_numpy(index)]
        shape = {**where, "n": len(index), "m": maps.shape[1]}
        values += [
            _value("similarity_to_previous", maps, before, folds, shape)
            if before is not None
            else undefined("similarity_to_previous", "there is no stream before it", **shape),
            _value("similarity_to_pixels", maps, pixels, folds, shape),
        ]
        before = maps
    return values


def _value(measure: str, maps: Tensor, other: Tensor, folds: Tensor, shape: dict) -> Value:
    """Return the CKA of two maps with an interval over images."""
    if len(maps) < 8 or not (torch.isfinite(maps).all() and torch.isfinite(other).all()):
        return undefined(measure, "it needs 8 images at least, and finite activations", **shape)
    value = cka(maps, other)
    if not np.isfinite(value):
        return undefined(measure, "one of the maps does not vary over the images", **shape)
    left_out = [cka(maps[folds != fold], other[folds != fold]) for fold in folds.unique()]
    lower, upper = interval(value, left_out)
    return Value(measure, value=value, lower=lower, upper=upper, null=0.0, **shape)
