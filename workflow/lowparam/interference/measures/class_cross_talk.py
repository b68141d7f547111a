"""M2, causal class cross-talk: what a push towards one class does to the logits of the others.

At a feature map, the direction of class k (mean pooled map of the class minus that of the others, scaled to length 1)
is added at all positions, as strong as the pooled map varies over images. J_kl is the mean change of logit l, minus
its mean over l. X = 1 - sum_k J_kk^2 / sum_kl J_kl^2 is the share of the effect that goes elsewhere, and
chi = (X - 1/K) / (1 - 2/K) puts it between two exact nulls: 0 for a readout that is a simplex, where X = 1/K, and 1
for directions that have nothing to do with the classes, where X = 1 - 1/K. Derived for this package.
"""

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.held_out import MeasuredImages, spread
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.perturbation import logit_changes
from lowparam.interference.sums import Pooled
from lowparam.models.blocks import Site

__all__ = ["centred_effects", "chi", "class_directions", "forced_chi", "measure", "measure_site", "steer"]

DEFAULT = True
PLACE = 100
NEEDS = ("pooled", "logits")
COST = 0.13
VALUES = {
    "chi": {
        "means": "χ, class cross-talk: how much of a push towards one class ends up in the logits of others",
        "range": "about 0 to 1",
        "null": "1, shuffled logits",
        "at": "stream",
    },
    "chi_floor": {
        "means": "least χ of a linear readout of C channels, above 0 only if C < K - 1",
        "range": "0 to 1",
        "null": "none",
        "at": "stream",
    },
}
SUMMARY = {
    "chi_stages": {
        "place": 130,
        "value": "chi",
        "kinds": ("stream",),
        "sites": "stage ends",
        "means": "mean χ at the last block of each stage; the second score",
    },
    "chi_last": {
        "place": 140,
        "value": "chi",
        "sites": "last",
        "means": "χ at the last block",
    },
    "chi_last_untrained": {
        "place": 150,
        "value": "chi",
        "sites": "last",
        "column": "untrained",
        "means": "the same before training",
    },
}


def measure(context: Context) -> list[Value]:
    """Measure every stream, and keep J of the stages that figures show."""
    values = []
    for name, site in context.streams.items():
        found, effects = measure_site(context, name, site, context.pooled.get(name))
        values += found
        if effects is not None and name in context.shown_stages:
            context.arrays[f"{name}/cross_talk"] = effects
    return values


def class_directions(pooled: Pooled, classes: Tensor) -> tuple[Tensor, float]:
    """Return unit class directions (len(classes), C), and the norm of the deviations of the pooled map."""
    images, total = pooled.images.sum(0), pooled.total.sum(0)
    everything, count = total.sum(0), images.sum()
    inside = total[classes] / images[classes, None]
    outside = (everything - total[classes]) / (count - images[classes, None])
    variance = (pooled.square.sum(0) / count - (everything / count) ** 2).clamp(min=0)
    return nn.functional.normalize(inside - outside, dim=1), variance.sum().sqrt().item()


def steer(
    net: nn.Module,
    module: nn.Module,
    images: MeasuredImages,
    index: np.ndarray,
    directions: Tensor,
    device: torch.device,
) -> Tensor:
    """Return the change of the logits (D, images, outputs) when one of D vectors (D, C) is added at all positions."""
    directions = directions.float().to(device)

    def push(vectors: Tensor, part: slice) -> Tensor:
        return vectors + directions[part].view(-1, *[1] * (vectors.dim() - 2), vectors.shape[-1])

    return logit_changes(net, module, images, index, push, len(directions), device)


def centred_effects(change: Tensor) -> Tensor:
    """Return J (..., K, K) from logit changes (..., K directions, K logits): each row minus its mean."""
    return change - change.mean(-1, keepdim=True)


def chi(effects: Tensor) -> Tensor:
    """Return chi of J, of shape (..., K, K) with K > 2; NaN where nothing changes."""
    classes = effects.shape[-1]
    share = (effects.diagonal(dim1=-2, dim2=-1) ** 2).sum(-1) / (effects**2).sum((-2, -1))
    return (1 - share - 1 / classes) / (1 - 2 / classes)


def forced_chi(classes: int, channels: int) -> float:
    """Return the least chi of a linear readout: above 0 where the channels are fewer than the classes less 1."""
    floor = max(1 / classes, 1 - channels / classes)
    return (floor - 1 / classes) / (1 - 2 / classes)


def measure_site(context: Context, name: str, site: Site, pooled: Pooled | None) -> tuple[list[Value], Tensor | None]:
    """Return χ at a stream with its forced floor, and J averaged over images (None if undefined).

    The null shuffles which logit belongs to which direction: its mean is 1, and its standard deviation is how far
    chance takes one network from it.
    """
    settings = context.settings
    where = {"site": name, "kind": site.kind}
    if pooled is None:
        return [undefined("chi", "the site was not read", **where)], None
    present = torch.nonzero(pooled.images.sum(0) > 0).flatten().cpu()
    channels = pooled.total.shape[2]
    if len(present) > settings.steering_classes:
        chosen = np.random.default_rng(0).permutation(len(present))[: settings.steering_classes]
        present = present[torch.from_numpy(np.sort(chosen))]
    classes = len(present)
    shape = {**where, "n": classes, "m": channels}
    if classes < 3:
        return [undefined("chi", f"it needs images of at least 3 classes, not {classes}", **shape)], None
    unit, strength = class_directions(pooled, present.to(pooled.total.device))
    if not torch.isfinite(unit).all() or not strength > 0:
        reason = "activations are not finite" if strength != strength else "the pooled map does not vary over images"
        return [undefined("chi", reason, **shape)], None
    index = spread(context.images, settings.steering_images)
    try:
        change = steer(context.net, site.output, context.images, index, unit * strength, context.device)
    except LowparamError as error:
        return [undefined("chi", str(error), **shape)], None
    if change.shape[2] < pooled.total.shape[1]:
        reason = f"the network has {change.shape[2]} outputs for {pooled.total.shape[1]} classes"
        return [undefined("chi", reason, **shape)], None
    change = centred_effects(change[:, :, present]).transpose(0, 1)  # (images, K, K)
    effects = change.mean(0)
    value = chi(effects).item()
    if value != value:
        return [undefined("chi", "the logits do not change, or are not finite", **shape)], None
    folds = index % settings.folds
    groups = [change[folds == fold].sum(0) for fold in np.unique(folds)]
    left_out = chi(change.sum(0) - torch.stack(groups)).cpu().numpy()
    lower, upper = interval(value, left_out)
    generator = np.random.default_rng(0)
    orders = torch.from_numpy(np.stack([generator.permutation(classes) for _ in range(settings.null_draws)]))
    null_sd = chi(effects.cpu()[:, orders].transpose(0, 1)).std().item()
    note = f"{classes} of {pooled.total.shape[1]} classes" if classes < pooled.total.shape[1] else ""
    return [
        Value("chi", value=value, lower=lower, upper=upper, null=1.0, null_sd=null_sd, note=note, **shape),
        Value("chi_floor", value=forced_chi(classes, channels), **shape),
    ], effects
