"""What the outputs tell of known features: how many are found, how many are explained, and false positives.

A feature is found if the area under the ROC curve of its output is above a level on held-out images. How much of it is
explained is the squared correlation of the output with its presence: the sum over outputs that are linear in m numbers
is at most m if features are independent, so more than that is superposition that works
(`lowparam.training.presence_scores`). Derived for this package.
"""

import numpy as np
import torch
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.known_images import UNKNOWN, known_in
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import run_all
from lowparam.training.presence_scores import FOUND, aucs, explained

__all__ = ["false_positives", "measure"]

PLACE = 300
NEEDS = ("sums", "pooled", "logits")
VALUES = {
    "mean_auc": {
        "means": "area under the ROC curve of a feature's output, mean over features",
        "range": "0 to 1",
        "null": "shuffled labels",
        "at": "the network",
    },
    "features_found": {
        "means": "features whose area is above 0.9",
        "range": "0 to n",
        "null": "shuffled labels",
        "at": "the network",
    },
    "features_per_1000": {
        "means": "the same for each 1,000 parameters",
        "range": "0 or more",
        "null": "shuffled labels",
        "at": "the network",
    },
    "features_explained": {
        "means": "squared correlation of outputs with presence, sum over features; at most `features_limit` if linear",
        "range": "0 to n",
        "null": "shuffled labels",
        "at": "the network",
    },
    "features_limit": {
        "means": "features that a network without activations can explain: the fewest values of an image's maps, or n",
        "range": "1 to n",
        "null": "none",
        "at": "the network",
    },
    "false_positives": {
        "means": "share of images without a feature in which its output is above the median of those with it, among "
        "the images with more other features than usual",
        "range": "0 to 1",
        "null": "all images without the feature",
        "at": "the network",
    },
}
SUMMARY = {
    "mean_auc": {
        "place": 900,
        "value": "mean_auc",
        "means": "mean area under the ROC curves of known features on held-out images",
    },
    "features_found": {"place": 901, "value": "features_found", "means": "number of known features that are found"},
    "features_per_1000": {"place": 902, "value": "features_per_1000", "means": "the same for each 1,000 parameters"},
    "features_explained": {
        "place": 903,
        "value": "features_explained",
        "means": "number of features that outputs explain, as a sum of squared correlations",
    },
    "features_limit": {
        "place": 904,
        "value": "features_limit",
        "means": "most features that a network of these shapes can explain without activations",
    },
    "false_positives": {
        "place": 905,
        "value": "false_positives",
        "means": "false positives of an output where many other features are present",
    },
}


def measure(context: Context) -> list[Value]:
    """Measure the outputs of the network on all images."""
    known = known_in(context)
    if known is None:
        return [undefined("mean_auc", UNKNOWN)]
    n = known.features
    logits = run_all(context.net, known, np.arange(len(known)), context.device)
    if logits.shape[1] < n:
        return [undefined("mean_auc", f"the network has {logits.shape[1]} outputs for {n} features", n=n)]
    logits, present = logits[:, :n], known.present
    parameters = sum(parameter.numel() for parameter in context.net.parameters())

    def scores(rows: Tensor, labels: Tensor) -> dict[str, float]:
        areas = aucs(rows, labels)
        found = (areas > FOUND).sum().item()
        return {
            "mean_auc": areas.nanmean().item(),
            "features_found": found,
            "features_per_1000": 1000 * found / parameters,
            "features_explained": explained(rows, labels).nansum().item(),
        }

    value = scores(logits, present)
    folds = torch.arange(len(known)) % context.settings.folds
    left_out = [scores(logits[folds != fold], present[folds != fold]) for fold in range(context.settings.folds)]
    generator = np.random.default_rng(0)
    draws = max(3, context.settings.null_draws // 10)
    null = [scores(logits, present[torch.from_numpy(generator.permutation(len(known)))]) for _ in range(draws)]
    values = []
    for name in value:
        lower, upper = interval(value[name], [each[name] for each in left_out])
        by_chance = np.array([each[name] for each in null])
        spread = {"null": by_chance.mean(), "null_sd": by_chance.std(ddof=1)}
        values.append(Value(name, value=value[name], lower=lower, upper=upper, n=n, **spread))
    values.append(Value("features_limit", value=_limit(context, n), n=n))
    crowded, overall = false_positives(logits, present)
    if np.isnan(crowded):
        return [*values, undefined("false_positives", "no image has more features than usual", n=n)]
    folded = [false_positives(logits[folds != fold], present[folds != fold])[0] for fold in folds.unique()]
    lower, upper = interval(crowded, folded)
    return [*values, Value("false_positives", value=crowded, lower=lower, upper=upper, null=overall, n=n)]


def _limit(context: Context, n: int) -> int:
    """Return the fewest values that a stream has of an image: channels times positions, and channels once pooled."""
    maps = list(context.pooled.values())
    if not maps:
        return n
    values = [each.total.shape[2] * each.positions for each in maps]
    return min(n, maps[-1].total.shape[2], *values)


def false_positives(outputs: Tensor, present: Tensor) -> tuple[float, float]:
    """Return the rate of false positives where more other features are present than usual, and that of all images.

    A positive is an output above its median over the images that have the feature. Both rates are means over features.

    Parameters
    ----------
    outputs : Tensor
        (N, n).
    present : Tensor
        bool (N, n).
    """
    others = present.sum(1, keepdim=True) - present.long()
    crowded_rates, rates = [], []
    for feature in range(present.shape[1]):
        has = present[:, feature]
        if not has.any() or has.all():
            continue
        positive = outputs[:, feature] > outputs[has, feature].median()
        count = others[~has, feature]
        crowded = count > count.median()
        if crowded.any():
            crowded_rates.append(positive[~has][crowded].double().mean().item())
            rates.append(positive[~has].double().mean().item())
    return (float(np.mean(crowded_rates)), float(np.mean(rates))) if rates else (float("nan"), float("nan"))
