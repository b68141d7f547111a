"""Ablation interaction: whether two channels' effects on the logits add up.

Each channel of a pair is set to its mean over images, then both are; with D the change of the logits, the interaction
is |D_ij - D_i - D_j|^2 / (|D_i|^2 + |D_j|^2), the mean over random pairs. 0 if what follows is linear, as it is
after the last block.
"""

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.measures.class_cross_talk import branch_out
from lowparam.interference.one_pass import HeldOut, Pooled
from lowparam.models.blocks import Site

__all__ = ["interaction", "measure"]


def interaction(first: Tensor, second: Tensor, both: Tensor) -> Tensor:
    """Interaction of each pair, of shape (...), from logit changes (..., images, outputs); NaN without any effect."""
    square = lambda change: (change**2).sum((-2, -1))  # noqa: E731
    return square(both - first - second) / (square(first) + square(second))


def measure(
    net: nn.Module,
    name: str,
    site: Site,
    pooled: Pooled | None,
    images: HeldOut,
    *,
    pairs: int,
    count: int,
    folds: int,
    seed: int,
    device: torch.device,
) -> list[Value]:
    """Mean interaction over at most `pairs` disjoint pairs of channels, drawn with `seed`, on `count` images."""
    where = {"site": name, "kind": site.kind}
    if pooled is None:
        return [undefined("ablation_interaction", "the site was not read", **where)]
    channels = pooled.total.shape[2]
    pairs = min(pairs, channels // 2)
    shape = {**where, "n": pairs, "m": channels}
    if not pairs:
        return [undefined("ablation_interaction", "the map has one channel", **shape)]
    mean = (pooled.total.sum((0, 1)) / pooled.images.sum()).float()
    chosen = np.random.default_rng(seed).permutation(channels)[: 2 * pairs].reshape(2, pairs)
    first, second = (nn.functional.one_hot(torch.from_numpy(row), channels).bool() for row in chosen)
    masks = torch.cat([first, second, first | second])

    def ablate(vectors: Tensor, some: slice) -> Tensor:
        mask = masks[some].to(vectors.device).view(-1, *[1] * (vectors.dim() - 2), channels)
        return torch.where(mask, mean, vectors)

    index = images.spread(count)
    try:
        change = branch_out(net, site.output, images, index, ablate, len(masks), device)
    except LowparamError as error:
        return [undefined("ablation_interaction", str(error), **shape)]
    change = change.view(3, pairs, len(index), -1)
    every = interaction(*change)
    alive = torch.isfinite(every)
    if not alive.any():
        reason = "no pair has an effect" if torch.isfinite(change).all() else "the logits are not finite"
        return [undefined("ablation_interaction", reason, **shape)]
    value = every[alive].mean().item()
    parts = [interaction(*change[:, :, index % folds != fold])[alive].nanmean().item() for fold in set(index % folds)]
    lower, upper = interval(value, parts)
    return [Value("ablation_interaction", value=value, lower=lower, upper=upper, null=0.0, **shape)]
