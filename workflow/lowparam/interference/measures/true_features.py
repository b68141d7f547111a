"""Directions of known features: their true dimensionality, and what a push along one does to the outputs of others.

The direction of a feature at a stream is the mean pooled map of the images with it minus that of those without it. Its
dimensionality is D of the toy models (`dimensionality`), and cross-talk is measured as χ is (`class_cross_talk`): J_kl
is the mean change of logit l when the direction of k is added. Outputs are independent here, so nothing is subtracted
from J: X = 1 - sum_k J_kk^2 / sum_kl J_kl^2 is 0 where a push reaches its own output alone, and 1 - 1/n where it has
nothing to do with it; true_chi is X / (1 - 1/n). Derived for this package.
"""

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.known_images import UNKNOWN, Known, known_in
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.measures.class_cross_talk import steer
from lowparam.interference.measures.dimensionality import dimensionality, random_null, tight_floor
from lowparam.interference.one_pass import collect
from lowparam.interference.pooled_maps import PooledMaps

__all__ = ["cross_talk", "feature_directions", "measure"]

PLACE = 310
NEEDS = ("network", "logits")
VALUES = {
    "true_dimensionality": {
        "means": "share of a dimension that the direction of a known feature has for itself, mean over features",
        "range": "0 to 1",
        "null": "random directions of the same norms",
        "at": "stream",
    },
    "true_dimensionality_ratio": {
        "means": "the same over its null",
        "range": "above 0",
        "null": "1",
        "at": "stream",
    },
    "true_dimensionality_forced": {
        "means": "its value for a tight frame of the same shape, min(1, m / n)",
        "range": "0 to 1",
        "null": "none",
        "at": "stream",
    },
    "true_chi": {
        "means": "true cross-talk: how much of a push along one known feature ends up in the outputs of others",
        "range": "about 0 to 1",
        "null": "1, shuffled outputs",
        "at": "stream",
    },
    "true_chi_floor": {
        "means": "least true cross-talk of a linear readout of C channels, above 0 only if C < n",
        "range": "0 to 1",
        "null": "none",
        "at": "stream",
    },
}
SUMMARY = {
    "true_dimensionality_stages": {
        "place": 910,
        "value": "true_dimensionality",
        "sites": "stage ends",
        "means": "mean dimensionality of known features at the last block of each stage",
    },
    "true_dimensionality_last": {
        "place": 911,
        "value": "true_dimensionality",
        "kinds": ("stream",),
        "sites": "last",
        "means": "dimensionality of known features at the last block",
    },
    "true_r_stages": {
        "place": 912,
        "value": "true_dimensionality_ratio",
        "sites": "stage ends",
        "means": "the same as true_dimensionality_stages, over random directions of the same norms",
    },
    "true_chi_stages": {
        "place": 913,
        "value": "true_chi",
        "sites": "stage ends",
        "means": "mean cross-talk between known features at the last block of each stage",
    },
    "true_chi_last": {
        "place": 914,
        "value": "true_chi",
        "sites": "last",
        "means": "cross-talk between known features at the last block",
    },
    "true_chi_last_untrained": {
        "place": 915,
        "value": "true_chi",
        "sites": "last",
        "column": "untrained",
        "means": "the same before training",
    },
    "true_chi_floor_last": {
        "place": 916,
        "value": "true_chi_floor",
        "sites": "last",
        "means": "what the shapes force of it in a linear readout",
    },
}


def measure(context: Context) -> list[Value]:
    """Measure every stream, with the directions of all known features."""
    known = known_in(context)
    if known is None:
        return [undefined("true_dimensionality", UNKNOWN, site=name, kind="stream") for name in context.streams]
    maps = PooledMaps(context)
    collect(context.net, context.streams, known, own=[maps], positions=1, folds=context.settings.folds)
    values = []
    for name in context.streams:
        if name not in maps:
            values.append(undefined("true_dimensionality", "the site was not read", site=name, kind="stream"))
            continue
        values += _measure_site(context, name, maps[name], known)
    return values


def feature_directions(pooled: Tensor, present: Tensor) -> Tensor:
    """Return the mean map of the images with each feature minus that of the images without it.

    Parameters
    ----------
    pooled : Tensor
        (N, C), float64.
    present : Tensor
        bool (N, n).

    Returns
    -------
    Tensor
        float64 (n, C); NaN for a feature that is in all images or in none.
    """
    inside = present.T.double()
    count = inside.sum(1, keepdim=True)
    total = inside @ pooled
    return total / count - (pooled.sum(0) - total) / (len(pooled) - count)


def cross_talk(effects: Tensor) -> Tensor:
    """Return X / (1 - 1/n) of J (..., n, n): 0 if each push reaches its own output alone, 1 if unrelated."""
    n = effects.shape[-1]
    own = (effects.diagonal(dim1=-2, dim2=-1) ** 2).sum(-1)
    return (1 - own / (effects**2).sum((-2, -1))) / (1 - 1 / n)


def _measure_site(context: Context, name: str, pooled: Tensor, known: Known) -> list[Value]:
    settings = context.settings
    directions = feature_directions(pooled, known.present)
    usable = torch.nonzero(directions.isfinite().all(1)).flatten()
    n, m = len(usable), pooled.shape[1]
    where = {"site": name, "kind": "stream", "n": n, "m": m}
    if n < 2:
        reason = "activations are not finite" if not pooled.isfinite().all() else f"only {n} features vary over images"
        return [undefined("true_dimensionality", reason, **where)]
    directions = directions[usable]
    if not directions.norm(dim=1).max() > 0:
        return [undefined("true_dimensionality", "the pooled map does not vary over images", **where)]
    folds = torch.arange(len(pooled)) % settings.folds
    left_out = [
        dimensionality(feature_directions(pooled[folds != fold], known.present[folds != fold])[usable].T).mean().item()
        for fold in range(settings.folds)
    ]
    value = dimensionality(directions.T).mean().item()
    lower, upper = interval(value, left_out)
    null = random_null(directions.norm(dim=1), m, settings.null_draws)
    mean, deviation = null.mean().item(), null.std().item()
    scaled = {"value": value / mean, "lower": lower / mean, "upper": upper / mean, "null_sd": deviation / mean}
    return [
        Value("true_dimensionality", value=value, lower=lower, upper=upper, null=mean, null_sd=deviation, **where),
        Value("true_dimensionality_ratio", null=1.0, **scaled, **where),
        Value("true_dimensionality_forced", value=tight_floor(n, m), **where),
        *_cross_talk(context, name, pooled, known, directions, usable),
    ]


def _cross_talk(
    context: Context, name: str, pooled: Tensor, known: Known, directions: Tensor, usable: Tensor
) -> list[Value]:
    """Return the true cross-talk at a stream with its forced part; of many features, that of a sample."""
    settings = context.settings
    note, total = "", len(usable)
    if total > settings.steering_classes:
        chosen = np.random.default_rng(0).permutation(total)[: settings.steering_classes]
        rows = torch.from_numpy(np.sort(chosen))
        directions, usable = directions[rows], usable[rows]
        note = f"{len(rows)} of {total} features"
    n, m = len(usable), pooled.shape[1]
    where = {"site": name, "kind": "stream", "n": n, "m": m}
    strength = pooled.var(0, correction=0).sum().sqrt()
    index = spread(known, settings.steering_images)
    pushes = nn.functional.normalize(directions, dim=1) * strength
    try:
        change = steer(context.net, context.sites[name].output, known, index, pushes, context.device)
    except LowparamError as error:
        return [undefined("true_chi", str(error), **where)]
    if change.shape[2] < known.features:
        reason = f"the network has {change.shape[2]} outputs for {known.features} features"
        return [undefined("true_chi", reason, **where)]
    change = change[:, :, usable.to(change.device)].transpose(0, 1).cpu()  # (images, n, n)
    effects = change.mean(0)
    value = cross_talk(effects).item()
    if value != value:
        return [undefined("true_chi", "the logits do not change, or are not finite", **where)]
    folds = index % settings.folds
    left_out = [cross_talk(change[folds != fold].mean(0)).item() for fold in np.unique(folds)] if len(index) > 1 else []
    lower, upper = interval(value, left_out)
    generator = np.random.default_rng(0)
    orders = torch.from_numpy(np.stack([generator.permutation(n) for _ in range(settings.null_draws)]))
    null_sd = cross_talk(effects[:, orders].transpose(0, 1)).std().item()
    floor = max(0.0, 1 - m / n) / (1 - 1 / n)
    return [
        Value("true_chi", value=value, lower=lower, upper=upper, null=1.0, null_sd=null_sd, note=note, **where),
        Value("true_chi_floor", value=floor, **where),
    ]
