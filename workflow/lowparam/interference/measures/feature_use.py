"""Use of known features: whether outputs use what predicts them, and whether they use more what is easily seen.

A reading of Hermann, Mobahi, Fel and Mozer 2023, arXiv 2310.16228 (no code is public, and the exact formula of their
reliance is not): the *effect* of feature j on output i is the mean of (f_i(x with feature j drawn again) - f_i(x))^2,
and *use* is that over twice the variance of f_i, which is the total Sobol index of Jansen 1999: the share of the output
that is lost with the feature. The label of output i is the presence of feature i, so every feature predicts its own
output equally well; others predict it not at all, or as well as pairs occur together. What differs is
*availability*, the amplitude in the pixels. An optimal classifier of the amplitudes, linear discriminant analysis,
is the same at all availabilities. So the slope of log use over log availability is 0 for it, and 2 for a network that
has the same gain for all features. Features are drawn again independently of others: absent, or present at an amplitude
that is uniform from half to the whole of its largest.
"""

import numpy as np
import torch
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.held_out import evenly
from lowparam.interference.known_images import UNKNOWN, Known, known_in
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import run_all

__all__ = ["bias", "effects", "lda_reliance", "measure", "slope", "slope_of_others"]

PLACE = 330
NEEDS = ("logits",)
VALUES = {
    "feature_use": {
        "means": "share of an output that is lost when its feature is drawn again, mean over features",
        "range": "0 to about 1",
        "null": "shuffled outputs",
        "at": "the network",
    },
    "shortcut_bias": {
        "means": "share of the effects on an output that other features have, less that of LDA, mean over features",
        "range": "-1 to 1",
        "null": "0, LDA",
        "at": "the network",
    },
    "availability_slope": {
        "means": "slope of log use of the own feature over log availability: 0 if outputs undo availability, 2 if not",
        "range": "any",
        "null": "shuffled availabilities",
        "at": "the network",
    },
    "availability_explained": {
        "means": "squared correlation of the two",
        "range": "0 to 1",
        "null": "shuffled availabilities",
        "at": "the network",
    },
    "availability_slope_others": {
        "means": "the same slope of the use of features that do not predict the output",
        "range": "any",
        "null": "shuffled availabilities",
        "at": "the network",
    },
}
SUMMARY = {
    "feature_use": {"place": 930, "value": "feature_use", "means": "mean use of known features by their own outputs"},
    "shortcut_bias": {"place": 931, "value": "shortcut_bias", "means": "reliance on other features beyond LDA's"},
    "availability_slope": {
        "place": 932,
        "value": "availability_slope",
        "means": "slope of log use of known features over log availability",
    },
    "availability_explained": {
        "place": 933,
        "value": "availability_explained",
        "means": "how much of the use of known features their availability explains",
    },
}
IMAGES = 64
"""Images that each feature is drawn again in."""
UNUSED = 1e-12
"""Use below this is none: it has no logarithm."""


def measure(context: Context) -> list[Value]:
    """Measure the outputs of the network."""
    known = known_in(context)
    if known is None:
        return [undefined("feature_use", UNKNOWN)]
    if known.rendering is None:
        return [undefined("feature_use", "it is not known how the features get into the images")]
    n = known.features
    if n < 2:
        return [undefined("feature_use", "there is only one feature", n=n)]
    logits = run_all(context.net, known, np.arange(len(known)), context.device)
    if logits.shape[1] < n:
        return [undefined("feature_use", f"the network has {logits.shape[1]} outputs for {n} features", n=n)]
    logits = logits[:, :n]
    index = torch.from_numpy(evenly(len(known), IMAGES))
    changes = effects(context, known, index)
    optimal = lda_reliance(known.rendering.values, known.present)

    def scores(rows: Tensor, of: Tensor) -> tuple[Tensor, dict[str, float]]:
        use = of.mean(0) / (2 * rows.var(0, correction=0)[:, None])
        availability = known.rendering.amplitude.log()
        found = {"feature_use": use.diagonal().nanmean().item(), "shortcut_bias": bias(use, optimal)}
        found["availability_slope"], found["availability_explained"] = slope(use.diagonal(), availability)
        found["availability_slope_others"] = slope_of_others(use, availability)
        return use, found

    use, value = scores(logits, changes)
    folds = torch.arange(len(known)) % context.settings.folds
    left_out = [
        scores(logits[folds != fold], changes[folds[index] != fold])[1] for fold in folds[index].unique().tolist()
    ]
    reasons = _reasons(known, use)
    chance = _chance(use, known.rendering.amplitude.log(), context.settings.null_draws)
    values = []
    for name in value:
        reason = reasons.get(name, "")
        if reason or not np.isfinite(value[name]):
            values.append(undefined(name, reason or "the logits do not change, or are not finite", n=n))
            continue
        lower, upper = interval(value[name], [each[name] for each in left_out])
        null, null_sd = chance.get(name, (0.0, float("nan")))
        values.append(Value(name, value=value[name], lower=lower, upper=upper, null=null, null_sd=null_sd, n=n))
    return values


def effects(context: Context, known: Known, index: Tensor) -> Tensor:
    """Return the mean squared change of each output when each feature is drawn again in some images.

    Of the two draws, both or one of them may have the feature: the mean is 2 p (1 - p) that of the change from absent
    to present, plus p^2 that of the change from one amplitude to another. Every image has both kinds, so that rare
    features need no more images.

    Returns
    -------
    Tensor
        float64 (images, outputs n, features n).
    """
    assert known.rendering is not None
    n, p = known.features, known.rendering.presence
    generator = torch.Generator().manual_seed(0)
    some = known.take(index)
    result = torch.zeros(len(index), n, n, dtype=torch.float64)
    every = np.arange(len(index))
    for feature in range(n):
        drawn = 0.5 + torch.rand(2, len(index), generator=generator, dtype=torch.float64) / 2
        amplitudes = [torch.zeros(len(index), dtype=torch.float64), *(drawn * known.rendering.amplitude[feature])]
        absent, one, other = (
            run_all(context.net, some.with_feature(feature, each), every, context.device)[:, :n] for each in amplitudes
        )
        appears = ((one - absent) ** 2 + (other - absent) ** 2) / 2
        result[:, :, feature] = 2 * p * (1 - p) * appears + p**2 * (one - other) ** 2
    return result


def bias(use: Tensor, optimal: Tensor) -> float:
    """Return the share of the effects on an output that other features have, less `optimal` (n,), mean over outputs."""
    others = 1 - use.diagonal() / use.sum(1)
    return (others - optimal).nanmean().item()


def lda_reliance(values: Tensor, present: Tensor) -> Tensor:
    """Return what share of the effects on an output a second feature has in LDA on the amplitudes, float64 (n,).

    Features depend on each other in pairs alone (2 k and 2 k + 1), so LDA of an output sees a pair. LDA's direction is
    that of least squares of the label (Fisher 1936). Drawing a feature again changes its output by the squared weight
    times twice the variance.
    """
    result = torch.zeros(present.shape[1], dtype=torch.float64)
    centred = values - values.mean(0)
    labels = present.double() - present.double().mean(0)
    for first in range(0, present.shape[1] - 1, 2):
        pair = centred[:, first : first + 2]
        for own in range(2):
            weights = torch.linalg.lstsq(pair, labels[:, [first + own]]).solution[:, 0]
            effect = weights**2 * pair.var(0)
            result[first + own] = effect[1 - own] / effect.sum()
    return result


def slope(use: Tensor, availability: Tensor) -> tuple[float, float]:
    """Return slope and squared correlation of log `use` (n,) over log availability (n,); features without use are out.

    Both are NaN if fewer than three are left, or if availability does not vary.
    """
    kept = use > UNUSED
    y, x = use[kept].log(), availability[kept]
    if len(x) < 3 or not x.std() > 0:
        return float("nan"), float("nan")
    y, x = y - y.mean(), x - x.mean()
    found = (x @ y) / (x @ x)
    explained = (x @ y) ** 2 / ((x @ x) * (y @ y)) if y @ y > 0 else torch.zeros(())
    return found.item(), explained.item()


def slope_of_others(use: Tensor, availability: Tensor) -> float:
    """Return the slope of log `use` (outputs, features) over log availability of features that are not in a pair.

    Each output has a mean of its own, since outputs are of different sizes.
    """
    n = len(use)
    rows, features = torch.arange(n)[:, None], torch.arange(n)[None]
    kept = (rows // 2 != features // 2) & (use > UNUSED)
    count = kept.sum(1, keepdim=True)

    def centred(values: Tensor) -> Tensor:
        values = torch.where(kept, values, 0.0)
        return torch.where(kept, values - values.sum(1, keepdim=True) / count, 0.0)

    x, y = centred(availability.expand(n, n)), centred(use.clamp(min=UNUSED).log())
    return ((x * y).sum() / (x**2).sum()).item() if (x**2).sum() > 0 else float("nan")


def _reasons(known: Known, use: Tensor) -> dict[str, str]:
    """Return why slopes are undefined, by the name of the value."""
    assert known.rendering is not None
    if not known.rendering.amplitude.std() > 0:
        reason = "all features are equally available (factors.availability)"
    elif known.rendering.importance.std() > 0:
        reason = "features differ in importance too, which falls with availability"
    elif (use.diagonal() > UNUSED).sum() < 3:
        reason = "fewer than three features are used"
    else:
        return {}
    return dict.fromkeys(("availability_slope", "availability_explained", "availability_slope_others"), reason)


def _chance(use: Tensor, availability: Tensor, draws: int) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation of the values with shuffled outputs or availabilities, by their names."""
    generator = np.random.default_rng(0)
    rows = []
    for _ in range(max(2, draws)):
        order = torch.from_numpy(generator.permutation(len(use)))
        found, explained = slope(use.diagonal(), availability[order])
        rows.append(
            (use[order].diagonal().nanmean().item(), found, explained, slope_of_others(use, availability[order]))
        )
    table = np.array(rows)
    names = ("feature_use", "availability_slope", "availability_explained", "availability_slope_others")
    return {name: (table[:, k].mean(), table[:, k].std(ddof=1)) for k, name in enumerate(names)}
