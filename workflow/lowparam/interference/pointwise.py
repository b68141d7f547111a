"""Read the weights of pointwise layers as directions: W' = diag(g) W diag(s).

s is the standard deviation of each input channel over images, g the factor of the normalisation that follows. So W'
does not change when a channel is rescaled and the next weight undoes it.
"""

import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.blocks import Site

__all__ = ["READS", "activity_weighted", "directions", "output_factor", "pointwise_matrix"]

READS = ("expansion", "branch")
"""Kinds of sites whose directions are the rows of the weights."""


def pointwise_matrix(layer: nn.Module | None) -> Tensor:
    """Return the matrix (outputs, inputs) of a 1x1 convolution or a linear layer, in float64.

    Raises
    ------
    LowparamError
        If the layer is neither, or is grouped.
    """
    if isinstance(layer, nn.Linear):
        return layer.weight.detach().double()
    if not isinstance(layer, nn.Conv2d) or any(k != 1 for k in layer.kernel_size):
        raise LowparamError(f"{type(layer).__name__} is not a pointwise layer: it must be a 1x1 convolution or linear")
    if layer.groups != 1:
        raise LowparamError(f"the pointwise layer has {layer.groups} groups; only ungrouped ones are measured")
    return layer.weight.detach().double().flatten(1)


def output_factor(site: Site, channels: int) -> Tensor:
    """Return the factor g (channels,) after a pointwise layer: that of its norm and layer scale, 1 without either.

    Batch norm is folded as gamma / sqrt(running_var + eps). A norm that computes statistics for every input (layer
    norm, group norm) counts with gamma; the remaining common factor does not change D.
    """
    device = site.pointwise.weight.device
    factor = torch.ones(channels, dtype=torch.float64, device=device)
    gamma = getattr(site.norm, "weight", None)
    if gamma is not None:
        factor = factor * gamma.detach().double().flatten()
    if getattr(site.norm, "running_var", None) is not None:
        factor = factor / (site.norm.running_var.double() + site.norm.eps).sqrt()
    if site.scale is not None:
        factor = factor * site.scale.detach().double().flatten()
    return factor


def activity_weighted(site: Site, deviations: Tensor) -> Tensor:
    """Return W' = diag(g) W diag(s) of shape (outputs, inputs), in float64; `deviations` s is (inputs,)."""
    matrix = pointwise_matrix(site.pointwise)
    return output_factor(site, len(matrix))[:, None] * matrix * deviations


def directions(site: Site, weighted: Tensor) -> Tensor:
    """Return the vectors of W' as columns (m, n): rows of W' where a site reads (`READS`), else its columns."""
    return weighted.T if site.kind in READS else weighted
