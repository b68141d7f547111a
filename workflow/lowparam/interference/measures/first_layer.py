"""Energy of the first layer: whether its filters whiten the patches of the images.

The profile of a layer is the length of its filters along each principal component of the k x k patches. In a linear
network it is (1 - exp(-tau s^2)) / s with s the deviation of the patches along the component: s itself at the start of
training, and 1 / s, which whitens, at its end (Chowers & Weiss 2022, arXiv 2206.02454). `stem_whitening` is the largest
correlation of the profile with this form over tau, and `stem_time` the logarithm of that tau in units of the first
component. The authors subtract the weights at the start, which a finished network does not have: the untrained value is
next to it instead. The stem is the same in all architectures of the controlled skeleton, so this is a control, and says
nothing about interference.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, undefined

__all__ = ["fit", "measure", "patch_components", "profile"]

PLACE = 12
NEEDS = ("network",)
COST = 0.03
VALUES = {
    "stem_whitening": {
        "means": "largest correlation of the first layer's energy profile with that of a linear network in training",
        "range": "-1 to 1",
        "null": "Gaussian filters",
        "at": "first layer",
    },
    "stem_time": {
        "means": "log10 of the time at which it is largest: low for the images' own spectrum, high for whitening",
        "range": "-3 to 3",
        "null": "Gaussian filters",
        "at": "first layer",
    },
}
SUMMARY = {
    "stem_whitening": {"value": "stem_whitening", "means": "how well training explains the energy of the first layer"},
}
IMAGES = 500
TIMES = 10.0 ** np.linspace(-3, 3, 61)


def profile(filters: Tensor, components: Tensor) -> Tensor:
    """Return the lengths of filters (..., outputs, d) along components, the rows of (d, d)."""
    return (filters @ components.T).square().sum(-2).sqrt()


def fit(energy: Tensor, deviations: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest correlation over times, and log10 of that time, of profiles (..., d) with the form above.

    `deviations` is (d,), of the patches along each component, largest first.
    """
    s = deviations / deviations[0]
    times = torch.from_numpy(TIMES).to(s)[:, None]
    forms = -torch.expm1(-times * s**2) / s  # (times, d)
    forms = F.normalize(forms - forms.mean(1, keepdim=True), dim=1)
    centred = F.normalize(energy - energy.mean(-1, keepdim=True), dim=-1)
    best = (centred @ forms.T).max(-1)
    return best.values, times[best.indices, 0].log10()


def patch_components(images: Tensor, layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Return the components of a layer's patches as rows, and the deviations along them, largest first."""
    patches = F.unfold(images.double(), layer.kernel_size, layer.dilation, 0, layer.stride)
    covariance = torch.cov(patches.movedim(1, 0).flatten(1))
    values, vectors = torch.linalg.eigh(covariance)
    return vectors.T.flip(0), values.flip(0).clamp(min=0).sqrt()


def measure(context: Context) -> list[Value]:
    """Measure the first convolution that reads the images."""
    images = context.images.pixels(spread(context.images, IMAGES))
    found = [
        (name, module)
        for name, module in context.net.named_modules()
        if isinstance(module, nn.Conv2d) and module.groups == 1 and module.in_channels == images.shape[1]
    ]
    if not found:
        return [undefined(value, "no dense convolution reads the images", kind="first layer") for value in VALUES]
    name, layer = found[0]
    filters = layer.weight.detach().double().flatten(1).cpu()
    where = {"site": name, "kind": "first layer", "n": len(filters), "m": filters.shape[1]}
    if min(images.shape[2:]) < max(layer.kernel_size) or filters.shape[1] < 4 or not torch.isfinite(filters).all():
        return [
            undefined(value, "it needs finite filters of 4 weights, and larger images", **where) for value in VALUES
        ]
    components, deviations = patch_components(images, layer)
    kept = deviations > 1e-6 * deviations[0]
    if kept.sum() < 4:
        return [undefined(value, "the patches vary along fewer than 4 components", **where) for value in VALUES]
    components, deviations = components[kept], deviations[kept]
    found_fit = fit(profile(filters, components), deviations)
    draws = torch.randn(
        context.settings.null_draws, *filters.shape, generator=torch.Generator().manual_seed(0)
    ).double()
    by_chance = fit(profile(draws, components), deviations)
    return [
        Value(value, value=one.item(), null=null.mean().item(), null_sd=null.std().item(), **where)
        for value, one, null in zip(VALUES, found_fit, by_chance, strict=True)
    ]
