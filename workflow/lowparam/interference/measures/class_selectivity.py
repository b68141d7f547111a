"""Class selectivity: how much more a channel answers to its favourite class than to the others.

(a - b) / (a + b) of a channel's mean activation for its favourite class, a, and for all other classes, b (Morcos et
al. 2018, arXiv 1803.06959). It needs activations that are not negative, so the map is rectified before it is pooled.
It tells classes apart, and is no measure of interference: raising it can hurt accuracy (Leavitt & Morcos 2020,
arXiv 2003.01262).
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

__all__ = ["Rectified", "Sums", "measure", "measure_site", "selectivity"]

DEFAULT = True
PLACE = 60
NEEDS = ("pooled", "own sums")
COST = 0.01
VALUES = {
    "class_selectivity": {
        "means": "how much more a channel is active for its favourite class than for the rest, mean over channels",
        "range": "0 to 1",
        "null": "shuffled labels",
        "at": "stream",
    },
}
SUMMARY = {
    "class_selectivity": {
        "place": 190,
        "value": "class_selectivity",
        "kinds": ("stream",),
        "means": "mean class selectivity of the streams",
    },
}
SHUFFLES = 20
"""Shuffles of the labels behind the null."""


@dataclass
class Rectified:
    """Sums of maps that are rectified before pooling, float64.

    ``by_class`` is (folds, K, C), ``shuffled`` is (draws, K, C), over classes of shuffled labels.
    """

    by_class: Tensor
    shuffled: Tensor


class Sums:
    """Sums of rectified maps at each stream, `at[name]`."""

    def __init__(self, context: Context) -> None:
        labels, generator = context.images.labels.numpy(), np.random.default_rng(0)
        self.shuffled = np.stack([generator.permutation(labels) for _ in range(SHUFFLES)])
        self.classes, self.folds = len(context.images.classes), context.settings.folds
        self.at: dict[str, Rectified] = {}

    def add(self, name: str, site: Site, maps: Tensor, batch: Batch) -> None:
        """Add the maps (N, positions, C) of a stream."""
        if site.kind != "stream":
            return
        channels, shape = maps.shape[2], {"device": maps.device}
        if name not in self.at:
            self.at[name] = Rectified(
                zeros(self.folds, self.classes, channels, **shape),
                zeros(len(self.shuffled), self.classes, channels, **shape),
            )
        rectified = maps.relu().mean(1).double()
        cell = batch.folds * self.classes + batch.labels
        self.at[name].by_class.view(-1, channels).index_add_(0, cell, rectified)
        wrong = torch.from_numpy(self.shuffled[:, batch.index.cpu().numpy()]).to(maps.device)
        self.at[name].shuffled += nn.functional.one_hot(wrong, self.classes).double().transpose(1, 2) @ rectified


def selectivity(total: Tensor, images: Tensor) -> Tensor:
    """Return the selectivity of each channel.

    Parameters
    ----------
    total : Tensor
        Sum of the non-negative activations of a class, of shape (..., K, C).
    images : Tensor
        Images of each class, of shape (..., K). Classes without images are left out.

    Returns
    -------
    Tensor
        Shape (..., C), from 0 to 1; NaN for a channel that is always zero.
    """
    mean = total / images[..., None]
    favourite = torch.where(images[..., None] > 0, mean, -torch.inf).argmax(-2, keepdim=True)
    largest = mean.gather(-2, favourite).squeeze(-2)
    rest = total.sum(-2) - total.gather(-2, favourite).squeeze(-2)
    others = images.sum(-1, keepdim=True) - images[..., None].expand_as(total).gather(-2, favourite).squeeze(-2)
    rest = rest / others
    return (largest - rest) / (largest + rest)


def measure(context: Context) -> list[Value]:
    """Measure every stream."""
    sums = context.sums["class_selectivity"].at
    return [
        value
        for name, site in context.streams.items()
        for value in measure_site(name, site, context.pooled.get(name), sums.get(name))
    ]


def measure_site(name: str, site: Site, pooled: Pooled | None, rectified: Rectified | None) -> list[Value]:
    """Return the mean over channels; the null shuffles the labels."""
    where = {"site": name, "kind": site.kind}
    if pooled is None or rectified is None:
        return [undefined("class_selectivity", "the site was not read", **where)]
    images = pooled.images
    classes, channels = pooled.total.shape[1:]
    shape = {**where, "n": channels, "m": classes}
    if (images.sum(0) > 0).sum() < 2:
        return [undefined("class_selectivity", "it needs images of at least 2 classes", **shape)]
    by_class, per_class = rectified.by_class, images.sum(0)
    by_channel = selectivity(by_class.sum(0), per_class)
    alive = torch.isfinite(by_channel)
    if not alive.any():
        return [undefined("class_selectivity", "no channel is ever positive, or values are not finite", **shape)]
    filled = images.sum(1) > 0
    left_out = selectivity(by_class.sum(0) - by_class[filled], per_class - images[filled])[:, alive].nanmean(1)
    value = by_channel[alive].mean().item()
    lower, upper = interval(value, left_out.cpu().numpy())
    draws = len(rectified.shuffled)
    null = selectivity(rectified.shuffled, per_class.expand(draws, -1))[:, alive].nanmean(1)
    note = f"{(~alive).sum().item()} silent channels dropped" if not alive.all() else ""
    null_sd = null.std().item() if draws > 1 else float("nan")
    spread = {"lower": lower, "upper": upper, "null": null.mean().item(), "null_sd": null_sd}
    return [Value("class_selectivity", value=value, **spread, note=note, **shape)]
