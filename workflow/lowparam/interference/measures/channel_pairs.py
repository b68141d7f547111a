"""Ablation interaction: whether two channels' effects on the logits add up.

Each channel of a pair is set to its mean over images, then both are; with D the change of the logits, the interaction
is |D_ij - D_i - D_j|^2 / (|D_i|^2 + |D_j|^2), the mean over random pairs. 0 if what follows is linear, as it is
after the last block.
"""

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.perturbation import logit_changes
from lowparam.interference.sums import Pooled
from lowparam.models.blocks import Site

__all__ = ["interaction", "measure", "measure_site"]

DEFAULT = True
PLACE = 110
NEEDS = ("pooled", "logits")
COST = 0.04
VALUES = {
    "ablation_interaction": {
        "means": "whether the effects of two channels on the logits add up, mean over random pairs",
        "range": "0 or more",
        "null": "0, what follows is linear",
        "at": "stream (ends of stages)",
    },
}
SUMMARY = {
    "ablation_interaction": {
        "place": 200,
        "value": "ablation_interaction",
        "means": "mean ablation interaction over the ends of stages",
    },
}


def measure(context: Context) -> list[Value]:
    """Measure the streams at the ends of stages; nothing if ``ablation_pairs`` is 0."""
    ends = context.stage_ends if context.settings.ablation_pairs else []
    return [value for name in ends for value in measure_site(context, name, context.sites[name], context.pooled[name])]


def interaction(first: Tensor, second: Tensor, both: Tensor) -> Tensor:
    """Return the interaction of each pair (...), 0 or more; NaN where neither channel has an effect.

    `first`, `second` and `both` are the changes of the logits, (..., images, outputs), when one or both are ablated.
    """

    def square(change: Tensor) -> Tensor:
        return (change**2).sum((-2, -1))

    return square(both - first - second) / (square(first) + square(second))


def measure_site(context: Context, name: str, site: Site, pooled: Pooled) -> list[Value]:
    """Return the mean interaction over disjoint random pairs of channels."""
    settings, folds = context.settings, context.settings.folds
    where = {"site": name, "kind": site.kind}
    channels = pooled.total.shape[2]
    pairs = min(settings.ablation_pairs, channels // 2)
    shape = {**where, "n": pairs, "m": channels}
    if not pairs:
        return [undefined("ablation_interaction", "the map has one channel", **shape)]
    mean = (pooled.total.sum((0, 1)) / pooled.images.sum()).float()
    chosen = np.random.default_rng(context.seed).permutation(channels)[: 2 * pairs].reshape(2, pairs)
    first, second = (nn.functional.one_hot(torch.from_numpy(row), channels).bool() for row in chosen)
    masks = torch.cat([first, second, first | second])

    def ablate(vectors: Tensor, part: slice) -> Tensor:
        mask = masks[part].to(vectors.device).view(-1, *[1] * (vectors.dim() - 2), channels)
        return torch.where(mask, mean, vectors)

    index = spread(context.images, settings.ablation_images)
    try:
        change = logit_changes(context.net, site.output, context.images, index, ablate, len(masks), context.device)
    except LowparamError as error:
        return [undefined("ablation_interaction", str(error), **shape)]
    change = change.view(3, pairs, len(index), -1)
    by_pair = interaction(*change)
    alive = torch.isfinite(by_pair)
    if not alive.any():
        reason = "no pair has an effect" if torch.isfinite(change).all() else "the logits are not finite"
        return [undefined("ablation_interaction", reason, **shape)]
    value = by_pair[alive].mean().item()
    left_out = [
        interaction(*change[:, :, index % folds != fold])[alive].nanmean().item() for fold in set(index % folds)
    ]
    lower, upper = interval(value, left_out)
    return [Value("ablation_interaction", value=value, lower=lower, upper=upper, null=0.0, **shape)]
