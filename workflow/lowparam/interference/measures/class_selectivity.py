"""Class selectivity: how much more a channel answers to its favourite class than to the others.

(a - b) / (a + b) of a channel's mean activation for its favourite class, a, and for all other classes, b (Morcos et
al. 2018, arXiv 1803.06959). It needs activations that are not negative, so the map is rectified before it is pooled.
It tells classes apart, and is no measure of interference: raising it can hurt accuracy (Leavitt & Morcos 2020,
arXiv 2003.01262).
"""

import torch
from torch import Tensor

from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import Pooled
from lowparam.models.blocks import Site

__all__ = ["measure", "selectivity"]


def selectivity(total: Tensor, images: Tensor) -> Tensor:
    """Selectivity of each channel.

    Parameters
    ----------
    total : Tensor
        Sum of the non-negative activations of a class, of shape (..., K, C).
    images : Tensor
        Images of each class, of shape (..., K). Classes without images are left out.

    Returns
    -------
    Tensor
        Shape (..., C), from 0 to 1; NaN for a channel that is always zero.
    """
    mean = total / images[..., None]
    favourite = torch.where(images[..., None] > 0, mean, -torch.inf).argmax(-2, keepdim=True)
    largest = mean.gather(-2, favourite).squeeze(-2)
    rest = total.sum(-2) - total.gather(-2, favourite).squeeze(-2)
    others = images.sum(-1, keepdim=True) - images[..., None].expand_as(total).gather(-2, favourite).squeeze(-2)
    rest = rest / others
    return (largest - rest) / (largest + rest)


def measure(name: str, site: Site, pooled: Pooled | None) -> list[Value]:
    """Mean over channels; the null shuffles the labels."""
    where = {"site": name, "kind": site.kind}
    if pooled is None:
        return [undefined("class_selectivity", "the site was not read", **where)]
    images = pooled.images
    classes, channels = pooled.total.shape[1:]
    shape = {**where, "n": channels, "m": classes}
    if (images.sum(0) > 0).sum() < 2:
        return [undefined("class_selectivity", "it needs images of at least 2 classes", **shape)]
    every = selectivity(pooled.rectified.sum(0), images.sum(0))
    alive = torch.isfinite(every)
    if not alive.any():
        return [undefined("class_selectivity", "no channel is ever positive, or values are not finite", **shape)]
    some = images.sum(1) > 0
    left_out = selectivity(pooled.rectified.sum(0) - pooled.rectified[some], images.sum(0) - images[some])[
        :, alive
    ].nanmean(1)
    value = every[alive].mean().item()
    lower, upper = interval(value, left_out.cpu().numpy())
    null = selectivity(pooled.shuffled, images.sum(0).expand(len(pooled.shuffled), -1))[:, alive].nanmean(1)
    note = f"{(~alive).sum().item()} silent channels dropped" if not alive.all() else ""
    return [
        Value(
            "class_selectivity",
            value=value,
            lower=lower,
            upper=upper,
            null=null.mean().item(),
            null_sd=null.std().item() if len(null) > 1 else float("nan"),
            note=note,
            **shape,
        )
    ]
