"""Gradient conflict: whether the loss of one class pulls the weights of a layer against another class's.

The cosine between the gradients of two classes' losses, over all pairs of classes (Riemer et al. 2019, arXiv
1810.11910; Yu et al. 2020, arXiv 2001.06782), for each pointwise layer: its mean, and the share of pairs in which it
is negative. It is about conflict in training, not about what is represented.

In eval mode images do not affect each other, so one backward pass gives each image's gradient of a pointwise layer:
the product of the layer's input and of the gradient at its output. All values follow from the inner products of these
gradients.
"""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import MeasuredImages
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import positions_of
from lowparam.models.blocks import Site

__all__ = ["class_cosines", "measure", "per_image_products"]

DEFAULT = True
PLACE = 90
NEEDS = ("logits",)
COST = 0.1
VALUES = {
    "gradient_cosine": {
        "means": "cosine of the loss gradients of two classes, mean over pairs of classes",
        "range": "-1 to 1",
        "null": "shuffled labels",
        "at": "pointwise layers",
    },
    "gradient_conflict": {
        "means": "share of pairs of classes whose loss gradients have a negative cosine",
        "range": "0 to 1",
        "null": "shuffled labels",
        "at": "pointwise layers",
    },
}
SUMMARY = {
    "gradient_cosine": {
        "place": 210,
        "value": "gradient_cosine",
        "means": "mean gradient cosine over pointwise layers",
    },
    "gradient_conflict": {
        "place": 220,
        "value": "gradient_conflict",
        "means": "mean gradient conflict over pointwise layers",
    },
}

LARGEST = 8_000_000
"""Most numbers of per-image gradients that are held at a time."""


def per_image_products(inputs: Tensor, errors: Tensor) -> Tensor:
    """Return the inner products (N, N) of the gradients of N images at one pointwise layer.

    Parameters
    ----------
    inputs : Tensor
        Input of the layer, (N, P, Ci).
    errors : Tensor
        Gradient of the loss at the layer's output, (N, P, Co).
    """
    total = inputs.new_zeros(len(inputs), len(inputs), dtype=torch.float64)
    for part in errors.split(max(1, LARGEST // (len(inputs) * inputs.shape[2])), dim=2):
        gradient = (part.transpose(1, 2) @ inputs).flatten(1)
        total += (gradient @ gradient.T).double()
    return total


def class_cosines(products: Tensor, belongs: Tensor) -> Tensor:
    """Return the cosines between the summed gradients of all pairs of classes.

    Parameters
    ----------
    products : Tensor
        Inner products of N gradients, (N, N).
    belongs : Tensor
        1 where an image counts for a class, else 0, of shape (..., N, K).

    Returns
    -------
    Tensor
        Shape (..., K (K - 1) / 2); NaN for a class without gradient.
    """
    belongs = belongs.to(products)
    between = belongs.mT @ products @ belongs
    length = between.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    cosine = between / (length[..., :, None] * length[..., None, :])
    classes = between.shape[-1]
    first, second = torch.triu_indices(classes, classes, 1)
    return cosine[..., first, second]


def measure(context: Context) -> list[Value]:
    """Return mean cosine and conflict rate at each pointwise layer; nothing if none is asked for or there is none.

    The null shuffles the labels.
    """
    settings = context.settings
    layers = {name: site for name, site in context.sites.items() if site.pointwise is not None}
    if not settings.gradient_images or not layers:
        return []
    index, labels = _choose(context.images, settings.gradient_images, settings.steering_classes)
    products: dict[str, Tensor] = {}
    if len(index) == 0 or int(labels.max()) < 1:
        reason = "it needs images of at least 2 classes"
    else:
        products, reason = _products(context.net, layers, context.images, index, context.device)
    if reason:
        return [undefined("gradient_cosine", reason, site=name, kind=site.kind) for name, site in layers.items()]
    generator = np.random.default_rng(0)
    shuffled = np.stack([generator.permutation(labels) for _ in range(settings.null_draws)])
    belongs, shuffled = (F.one_hot(torch.from_numpy(rows)).double() for rows in (labels, shuffled))
    fold = index % settings.folds
    kept = torch.from_numpy(fold != np.unique(fold)[:, None])
    left_out = belongs * kept[:, :, None]
    return [
        value
        for name, site in layers.items()
        for value in _values(name, site, products[name].cpu(), belongs, shuffled, left_out)
    ]


def _choose(images: MeasuredImages, per_class: int, most_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first images of each class, and their classes, numbered without gaps."""
    labels = images.labels.numpy()
    present = np.unique(labels)
    if len(present) > most_classes:
        present = np.sort(np.random.default_rng(0).permutation(present)[:most_classes])
    rows = [np.flatnonzero(labels == label)[:per_class] for label in present]
    return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(row) for row in rows])


def _products(
    net: nn.Module, sites: Mapping[str, Site], images: MeasuredImages, index: np.ndarray, device: torch.device
) -> tuple[dict[str, Tensor], str]:
    """Return the inner products of per-image gradients at each site, or the reason why there are none."""
    kept: dict[str, tuple[Tensor, Tensor, bool]] = {}
    hooks = []
    for name, site in sites.items():

        def keep(module: nn.Module, inputs: tuple, output: Tensor, name: str = name) -> None:
            kept[name] = (inputs[0].detach(), output, isinstance(module, nn.Linear))

        hooks.append(site.pointwise.register_forward_hook(keep))
    try:
        with torch.enable_grad():
            x = images.pixels(index).to(device).contiguous(memory_format=torch.channels_last)
            logits = net(x.requires_grad_())
            target = images.labels[torch.from_numpy(index)].to(device)
            if logits.shape[1] <= int(target.max()):
                return {}, f"the network has {logits.shape[1]} outputs, fewer than the data has classes"
            loss = F.cross_entropy(logits, target, reduction="sum")
            errors = torch.autograd.grad(loss, [output for _, output, _ in kept.values()], allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    if len(kept) < len(sites) or any(error is None for error in errors):
        return {}, "a pointwise layer does not reach the loss"
    return {
        name: per_image_products(positions_of(inputs, last), positions_of(error, last))
        for (name, (inputs, _, last)), error in zip(kept.items(), errors, strict=True)
    }, ""


def _values(
    name: str, site: Site, products: Tensor, belongs: Tensor, shuffled: Tensor, left_out: Tensor
) -> list[Value]:
    shape = {"site": name, "kind": site.kind, "n": belongs.shape[1], "m": site.pointwise.weight.numel()}
    cosines = class_cosines(products, belongs)
    if not torch.isfinite(cosines).any():
        reason = "the gradient is zero" if torch.isfinite(products).all() else "gradients are not finite"
        return [undefined("gradient_cosine", reason, **shape)]
    without_fold, null = class_cosines(products, left_out), class_cosines(products, shuffled)
    values = []
    for measure, of in (
        ("gradient_cosine", lambda c: c.nanmean(-1)),
        ("gradient_conflict", lambda c: (c < 0).double().mean(-1)),
    ):
        value, by_chance = of(cosines).item(), of(null)
        lower, upper = interval(value, of(without_fold).numpy())
        values.append(
            Value(
                measure,
                value=value,
                lower=lower,
                upper=upper,
                null=by_chance.nanmean().item(),
                null_sd=by_chance.std().item(),
                **shape,
            )
        )
    return values
