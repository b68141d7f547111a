"""Linearity of channels: how much of an activation's output is a linear function of its input, channel by channel.

rho^2, the squared correlation of an activation's input and output over images and positions; the mean over channels is
weighted by the variance of the output. A product of two branches counts as an activation of the first. For comparison,
the same of Gaussian inputs with each channel's mean and deviation: 0.73 for ReLU of a standard normal input, 0.53 to
0.34 for SoLU of 8 to 128 channels, 0 for a product of two centred branches. A linear channel can stand for many things.

The curve of linearisation replaces more and more channels by their best affine function, nothing trained again, those
first that lose the least variance, relative to that of their activation. `linearisable_share` is the largest share of
channels that costs at most one point of accuracy, `all_linear_accuracy` what a network without any activation keeps.
Mehmeti-Goepel & Disselhoff 2022 (arXiv 2211.17180) train such networks on; that the weights stay, and the order of
channels, are a reading.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import run, run_all
from lowparam.interference.sums import zeros
from lowparam.models.layers import Product
from lowparam.models.probes.scale import ScaleOnly
from lowparam.models.probes.solu import SoLU
from lowparam.models.probes.topk import TopK

__all__ = ["Pairs", "find_activations", "measure"]

PLACE = 118
NEEDS = ("logits",)
COST = 2.6
VALUES = {
    "channel_linearity": {
        "means": "squared correlation of an activation's input and output, mean over channels by variance",
        "range": "0 to 1",
        "null": "Gaussian inputs of each channel's mean and deviation",
        "at": "activation",
    },
    "linearisable_share": {
        "means": "largest share of channels whose activations can be made affine for one point of accuracy",
        "range": "0 to 1",
        "null": "none",
        "at": "stream (last)",
    },
    "all_linear_accuracy": {
        "means": "accuracy when all activations are affine",
        "range": "%",
        "null": "none",
        "at": "stream (last)",
    },
}
SUMMARY = {
    "channel_linearity": {"value": "channel_linearity", "means": "mean linearity of the activations"},
    "channel_linearity_null": {
        "value": "channel_linearity",
        "column": "null",
        "means": "the same of Gaussian inputs",
    },
    "linearisable_share": {
        "value": "linearisable_share",
        "means": "share of channels that can be linear for one point of accuracy",
    },
    "all_linear_accuracy": {"value": "all_linear_accuracy", "means": "accuracy with affine activations, in %"},
}
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish, nn.Tanh),
    *(SoLU, TopK, ScaleOnly, Product),
)
IMAGES = 512
STEPS = 11
"""Points of the curve of linearisation, from no channel to all."""
SAMPLES = 64
"""Height and width of the map of Gaussian inputs behind the null."""


class Pairs:
    """Sums over images and positions of an activation's input x and output a, per fold and channel, float64.

    ``count`` is (folds,); ``sums`` is (5, folds, C): of x, a, x^2, a^2 and xa.
    """

    def __init__(self, folds: int, channels: int, device: torch.device) -> None:
        self.count, self.sums = zeros(folds, device=device), zeros(5, folds, channels, device=device)

    def add(self, x: Tensor, a: Tensor, folds: Tensor) -> None:
        """Add maps (N, C, H, W) of images in some folds (N,)."""
        x, a = x.double(), a.double()
        products = torch.stack([value.mean((2, 3)) for value in (x, a, x * x, a * a, x * a)])
        self.count.index_add_(0, folds, torch.ones_like(folds, dtype=torch.float64))
        self.sums.index_add_(1, folds, products)

    def moments(self, without: int | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return means of x and a, variances of x and a, and their covariance, each (C,), of all or all other folds."""
        count, sums = self.count.sum(), self.sums.sum(1)
        if without is not None:
            count, sums = count - self.count[without], sums - self.sums[:, without]
        x, a, xx, aa, xa = sums / count
        return x, a, (xx - x * x).clamp(min=0), (aa - a * a).clamp(min=0), xa - x * a


def find_activations(net: nn.Module) -> dict[str, nn.Module]:
    """Return the activations of a network by name, products of branches among them."""
    return {name: module for name, module in net.named_modules() if isinstance(module, ACTIVATIONS)}


def measure(context: Context) -> list[Value]:
    """Measure every activation on at most 512 images, and the curve of linearisation on the same."""
    index = spread(context.images, IMAGES)
    activations = find_activations(context.net)
    pairs, logits = _collect(context, activations, index)
    values = [
        value for name in pairs for value in measure_activation(name, activations[name], pairs[name], context.device)
    ]
    if not context.streams:
        return values
    where = {"site": list(context.streams)[-1], "kind": "stream", "n": len(index)}
    if logits.shape[1] < len(context.images.classes):
        reason = f"the network has {logits.shape[1]} outputs for {len(context.images.classes)} classes"
    elif not any(value.value == value.value for value in values):
        reason = "no activation was found whose output varies"
    else:
        return values + _curve(context, {name: activations[name] for name in pairs}, pairs, index, where)
    return values + [undefined(name, reason, **where) for name in ("linearisable_share", "all_linear_accuracy")]


def measure_activation(name: str, module: nn.Module, pairs: Pairs, device: torch.device) -> list[Value]:
    """Return the linearity of one activation, with its null."""
    where = {"site": name, "kind": "activation", "n": pairs.sums.shape[2]}
    if not torch.isfinite(pairs.sums).all():
        return [undefined("channel_linearity", "activations are not finite", **where)]
    x, _, variance, output, covariance = pairs.moments()
    value = _linearity(variance, output, covariance)
    if value != value:
        return [undefined("channel_linearity", "the output does not vary", **where)]
    filled = torch.nonzero(pairs.count > 0).flatten().tolist()
    lower, upper = interval(value, [_linearity(*pairs.moments(without=fold)[2:]) for fold in filled])
    null = _of_gaussian_inputs(module, x, variance.sqrt(), device)
    return [Value("channel_linearity", value=value, lower=lower, upper=upper, null=null, **where)]


def _linearity(variance: Tensor, output: Tensor, covariance: Tensor) -> float:
    """Return the mean of rho^2 over channels, weighted by the output's variance: explained over all variance."""
    explained = torch.where(variance > 1e-12, covariance**2 / variance, 0)
    return (explained.sum() / output.sum()).item() if output.sum() > 1e-12 else float("nan")


def _of_gaussian_inputs(module: nn.Module, mean: Tensor, deviation: Tensor, device: torch.device) -> float:
    """Return the linearity of independent Gaussian channels; the other branch of a product is like the first."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, len(mean), SAMPLES, SAMPLES)

    def draw() -> Tensor:
        standard = torch.randn(shape, generator=generator).to(device)
        return standard * deviation.float()[:, None, None] + mean.float()[:, None, None]

    inputs = [draw() for _ in range(2 if isinstance(module, Product) else 1)]
    pairs = Pairs(1, len(mean), device)
    with torch.no_grad():
        pairs.add(inputs[0], module(*(x.clone() for x in inputs)), torch.zeros(1, dtype=torch.long, device=device))
    return _linearity(*pairs.moments()[2:])


def _collect(
    context: Context, activations: Mapping[str, nn.Module], index: np.ndarray
) -> tuple[dict[str, Pairs], Tensor]:
    """Run the images, and return the sums of each activation of maps, in the order of data, and the logits."""
    pairs: dict[str, Pairs] = {}
    inputs: dict[str, Tensor] = {}
    folds = torch.empty(0)

    def before(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple) -> None:
            inputs[name] = args[0].clone()  # the activation may work in place

        return hook

    def after(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, a: Tensor) -> None:
            x = inputs.pop(name)
            if x.dim() != 4 or x.shape != a.shape or x.shape[2:].numel() == 1:
                return  # a gate of pooled values, or tokens
            if name not in pairs:
                pairs[name] = Pairs(context.settings.folds, x.shape[1], x.device)
            pairs[name].add(x[: len(folds)], a[: len(folds)], folds)

        return hook

    handles = [module.register_forward_pre_hook(before(name)) for name, module in activations.items()]
    handles += [module.register_forward_hook(after(name)) for name, module in activations.items()]
    logits = []
    try:
        with torch.no_grad():
            for start in range(0, len(index), 256):
                some = index[start : start + 256]
                folds = torch.from_numpy(some % context.settings.folds).to(context.device)
                logits.append(run(context.net, context.images, some, context.device).double().cpu())
    finally:
        for handle in handles:
            handle.remove()
    return pairs, torch.cat(logits)


def _curve(
    context: Context, activations: Mapping[str, nn.Module], pairs: Mapping[str, Pairs], index: np.ndarray, where: dict
) -> list[Value]:
    """Return the two values of the curve of linearisation."""
    affine, losses = {}, []
    for name, sums in pairs.items():
        x, a, variance, output, covariance = sums.moments()
        slope = torch.where(variance > 1e-12, covariance / variance, 0)
        affine[name] = slope.float(), (a - slope * x).float()
        lost = (output - slope * covariance).clamp(min=0)
        losses.append(lost / output.sum() if output.sum() > 0 else lost)
    every = torch.cat(losses)
    rank = torch.empty(len(every), device=every.device)
    rank[every.argsort(stable=True)] = torch.arange(len(every), dtype=torch.float32, device=every.device)
    rank = (rank + 1) / len(every)  # the share of channels that are linear when this one is
    ranks = dict(zip(pairs, rank.split([len(loss) for loss in losses]), strict=True))
    linear: dict[str, Tensor] = {}

    def hook_for(name: str) -> tuple[Callable, Callable]:
        kept: list[Tensor] = []

        def before(module: nn.Module, args: tuple) -> None:
            kept[:] = [args[0].clone()]

        def after(module: nn.Module, args: tuple, a: Tensor) -> Tensor:
            slope, offset = (value[:, None, None] for value in affine[name])
            return torch.where(linear[name][:, None, None], slope * kept.pop() + offset, a)

        return before, after

    handles = []
    for name, module in activations.items():
        before, after = hook_for(name)
        handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    labels = context.images.labels[torch.from_numpy(index)]
    right = []
    try:
        for share in np.linspace(0, 1, STEPS):
            linear |= {name: rank <= share for name, rank in ranks.items()}
            logits = run_all(context.net, context.images, index, context.device)
            right.append((logits.argmax(1) == labels).double())
    finally:
        for handle in handles:
            handle.remove()
    folds = torch.from_numpy(index % context.settings.folds)
    values = []
    for name, of in (("linearisable_share", _linearisable), ("all_linear_accuracy", lambda curve: curve[-1])):
        value = of(np.array([100 * step.mean().item() for step in right]))
        left_out = [
            of(np.array([100 * step[folds != fold].mean().item() for step in right])) for fold in folds.unique()
        ]
        lower, upper = interval(value, left_out)
        values.append(Value(name, value=value, lower=lower, upper=upper, **where))
    return values


def _linearisable(accuracies: np.ndarray) -> float:
    """Return the largest share of linear channels up to which no point is lost, between the points of the curve."""
    shares, lost = np.linspace(0, 1, len(accuracies)), accuracies[0] - accuracies
    beyond = np.flatnonzero(lost > 1)
    if not len(beyond):
        return 1.0
    last = beyond[0]
    within = (1 - lost[last - 1]) / (lost[last] - lost[last - 1])
    return float(shares[last - 1] + within * (shares[last] - shares[last - 1]))
