"""How well outputs tell which features are present: what stands in the place of accuracy where features are known."""

import torch
from torch import Tensor

__all__ = ["FOUND", "aucs", "explained", "found_share"]

FOUND = 0.9
"""A feature is found if the area under the ROC curve of its output is above this."""


def aucs(outputs: Tensor, present: Tensor) -> Tensor:
    """Return the area under the ROC curve of each output, float64 (n,).

    It is the probability that an image with the feature has a larger output than one without it; ties count half.

    Parameters
    ----------
    outputs : Tensor
        (N, n).
    present : Tensor
        bool (N, n).

    Returns
    -------
    Tensor
        From 0 to 1, 1/2 by chance; NaN for a feature that is in all of the images or in none, or an output that is not
        finite.
    """
    outputs = outputs.double()
    ordered, order = outputs.sort(0)
    count = len(outputs)
    places = torch.arange(1, count + 1, dtype=torch.float64, device=outputs.device)[:, None].expand_as(outputs)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    group = new.long().cumsum(0) - 1
    sums = torch.zeros_like(outputs).scatter_add_(0, group, places)
    sizes = torch.zeros_like(outputs).scatter_add_(0, group, torch.ones_like(outputs))
    ranks = torch.empty_like(outputs).scatter_(0, order, (sums / sizes.clamp(min=1)).gather(0, group))
    positive = present.sum(0).double()
    above = (ranks * present).sum(0) - positive * (positive + 1) / 2
    area = above / (positive * (count - positive))
    return torch.where(outputs.isfinite().all(0), area, torch.nan)


def found_share(areas: Tensor) -> float:
    """Return the share of the features, of which areas are given, that are found."""
    return (areas > FOUND).double().mean().item()


def explained(outputs: Tensor, present: Tensor) -> Tensor:
    """Return the squared correlation of each output with the presence of its feature, float64 (n,).

    Of independent features, the sum over outputs that are linear in m numbers is at most m: each of them can then be
    only as much as the projector on m dimensions leaves of it. So a sum above m is superposition that works.

    Returns
    -------
    Tensor
        From 0 to 1, without the 1 / (N - 1) that unrelated outputs have; 0 for an output that does not vary; NaN for a
        feature that does not.
    """
    x, y = outputs.double(), present.double()
    x, y = x - x.mean(0), y - y.mean(0)
    variances = (x**2).sum(0) * (y**2).sum(0)
    squared = (x * y).sum(0) ** 2 / variances
    chance = 1 / (len(x) - 1)
    corrected = ((squared - chance) / (1 - chance)).clamp(min=0)
    # An output that is not finite is not one that does not vary.
    varies = (x.abs().amax(0) > 0) | ~x.isfinite().all(0)
    return torch.where((y**2).sum(0) > 0, torch.where(varies, corrected, 0.0), torch.nan)
