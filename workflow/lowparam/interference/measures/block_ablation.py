"""Ablation of blocks: what a trained network loses without what a block adds, and whether two such losses add up.

The branch of a block is set to its mean over images and positions, channel by channel, or to that of another image;
nothing is trained again (Zeiler & Fergus 2013, arXiv 1311.2901, section 4.2, remove layers and train again). With D_i
the change of the logits without the branch of block i, the interaction of two blocks is |D_ij - D_i - D_j|^2 /
(|D_i|^2 + |D_j|^2), as in `channel_pairs`: 0 where effects add up, as they do for blocks that a linear map alone
follows. A mean is no map that the network has seen, which matters most for products and gates; so the effect of the
branch of another image is next to it.
"""

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.interference.branches import branches
from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.measures.channel_pairs import interaction
from lowparam.interference.one_pass import run, run_all

__all__ = ["measure"]

PLACE = 116
NEEDS = ("logits",)
COST = 1.6
VALUES = {
    "block_effect": {
        "means": "accuracy lost when a block's branch is its mean",
        "range": "points",
        "null": "0, the branch is constant",
        "at": "stream",
    },
    "block_effect_resampled": {
        "means": "accuracy lost when a block's branch is that of another image",
        "range": "points",
        "null": "0, the branch is constant",
        "at": "stream",
    },
    "block_divergence": {
        "means": "mean KL divergence of the predictions without the branch from those with it",
        "range": "0 or more, in nats",
        "null": "0, the branch is constant",
        "at": "stream",
    },
    "block_interaction": {
        "means": "whether the effects of two blocks on the logits add up, mean over the other blocks",
        "range": "0 or more",
        "null": "0, what follows is linear",
        "at": "stream",
    },
}
SUMMARY = {
    "block_effect": {"value": "block_effect", "means": "mean loss of accuracy without a block's branch, in points"},
    "block_interaction": {"value": "block_interaction", "means": "mean interaction of two blocks"},
}
IMAGES = 512
PAIR_IMAGES = 128


def measure(context: Context) -> list[Value]:
    """Measure every stream, on at most 512 images, and interactions on 128 of them."""
    net, images, device = context.net, context.images, context.device
    modules = {name: site.output for name, site in context.streams.items()}
    # In an order of chance, as images may be sorted by class and the other image is the next one.
    index = np.random.default_rng(0).permutation(spread(images, IMAGES))
    labels, folds = images.labels[torch.from_numpy(index)], torch.from_numpy(index % context.settings.folds)
    means, logits = _means(context, modules, index)
    if logits.shape[1] < len(images.classes):
        reason = f"the network has {logits.shape[1]} outputs for {len(images.classes)} classes"
        return [undefined(value, reason, site=name, kind="stream") for name in modules for value in VALUES]

    def without(names: tuple[str, ...], replace: Callable[[str, Tensor], Tensor], index: np.ndarray = index) -> Tensor:
        """Return the logits when the branches of some blocks are replaced."""

        def see(name: str, x: Tensor, branch: Tensor) -> Tensor:
            return replace(name, branch)

        with branches({name: modules[name] for name in names}, see):
            return run_all(net, images, index, device)

    def mean(name: str, branch: Tensor) -> Tensor:
        return means[name].float()[:, None, None].expand_as(branch)

    def other(name: str, branch: Tensor) -> Tensor:
        return branch.roll(1, 0)

    right = (logits.argmax(1) == labels).double()
    ablated = {name: without((name,), mean) for name in means}
    some = index[:PAIR_IMAGES]
    few, fold_of_few = logits[: len(some)], folds[: len(some)]
    change = {name: (ablated[name][: len(some)] - few) for name in means}
    pairs = {
        pair: (change[pair[0]], change[pair[1]], without(pair, mean, some) - few) for pair in combinations(means, 2)
    }
    values = []
    for name in modules:
        where = {"site": name, "kind": "stream"}
        if name not in means:
            values += [
                undefined(value, "the block's input and output are not feature maps", **where) for value in VALUES
            ]
            continue
        if not torch.isfinite(ablated[name]).all():
            values += [undefined(value, "the logits are not finite", **where) for value in VALUES]
            continue
        shape = {**where, "n": len(index), "m": len(means[name])}
        log_p, log_q = logits.log_softmax(1), ablated[name].log_softmax(1)
        resampled = without((name,), other)
        lost = 100 * (right - (ablated[name].argmax(1) == labels).double())
        lost_to_other = 100 * (right - (resampled.argmax(1) == labels).double())
        values += [
            _mean("block_effect", lost, folds, shape),
            _mean("block_effect_resampled", lost_to_other, folds, shape),
            _mean("block_divergence", (log_p.exp() * (log_p - log_q)).sum(1), folds, shape),
            _interaction([three for pair, three in pairs.items() if name in pair], fold_of_few, shape),
        ]
    return values


def _means(context: Context, modules: Mapping[str, nn.Module], index: np.ndarray) -> tuple[dict[str, Tensor], Tensor]:
    """Return the mean of each branch over images and positions (C,), and the logits (N, outputs)."""
    sums: dict[str, Tensor] = {}
    batch = 0

    def see(name: str, x: Tensor, branch: Tensor) -> None:
        if branch.dim() == 4:
            total = branch[:batch].double().mean((2, 3)).sum(0)
            sums[name] = sums.get(name, 0) + total

    logits = []
    with branches(modules, see), torch.no_grad():
        for start in range(0, len(index), 256):
            batch = len(index[start : start + 256])
            logits.append(run(context.net, context.images, index[start : start + 256], context.device).double().cpu())
    return {name: total / len(index) for name, total in sums.items()}, torch.cat(logits)


def _mean(measure: str, every: Tensor, folds: Tensor, shape: dict) -> Value:
    """Return the mean over images (N,), with an interval from folds left out."""
    left_out = [every[folds != fold].mean().item() for fold in folds.unique()]
    lower, upper = interval(every.mean().item(), left_out)
    return Value(measure, value=every.mean().item(), lower=lower, upper=upper, null=0.0, **shape)


def _interaction(three: list[tuple[Tensor, Tensor, Tensor]], folds: Tensor, shape: dict) -> Value:
    """Return the mean over pairs of blocks, from the changes of the logits (images, outputs) without one or both."""
    measure, shape = "block_interaction", {**shape, "n": len(three)}
    if not three:
        return undefined(measure, "there is no other block", **shape)
    first, second, both = (torch.stack(changes) for changes in zip(*three, strict=True))
    by_pair = interaction(first, second, both)
    alive = torch.isfinite(by_pair)
    if not alive.any():
        return undefined(measure, "no block of a pair has an effect", **shape)
    left_out = [
        interaction(*(change[alive][:, folds != fold] for change in (first, second, both))).nanmean().item()
        for fold in folds.unique()
    ]
    value = by_pair[alive].mean().item()
    lower, upper = interval(value, left_out)
    return Value(measure, value=value, lower=lower, upper=upper, null=0.0, **shape)
