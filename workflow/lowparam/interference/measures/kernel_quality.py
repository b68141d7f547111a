"""Quality of spatial kernels: how many of a layer's depthwise kernels are dead, alike, or one of a few known shapes.

A layer's kernels are rows w_i of n x k^2. Sparsity is the share of kernels all of whose weights are below a hundredth
of the layer's largest. Variance entropy is -sum p_j log10 p_j over the shares p_j of variance of the principal
components of the rows (Gavrikov & Keuper 2022, arXiv 2203.15331, section 3): low where few shapes repeat, at most
log10 k^2. The template share is the share of the kernels' energy in kernels with an absolute cosine above 0.9 with one
of eight shapes: a Gaussian of deviation 0.8, its Laplacian, its first and second derivatives, and the tap in the
centre. It is a reading of Babaiee et al. 2024 (arXiv 2401.14469), who find such shapes by an autoencoder in kernels of
7 x 7. Layers of fewer than 8 kernels say little; what padding does to taps at the border of small maps is geometry, and
no quality of the training.
"""

from functools import cache

import torch
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.measurement import Value, undefined

__all__ = ["depthwise", "measure", "sparsity", "template_share", "templates", "variance_entropy"]

PLACE = 28
NEEDS = ("network",)
COST = 0.0
VALUES = {
    "kernel_sparsity": {
        "means": "share of depthwise kernels without a weight above a hundredth of the layer's largest",
        "range": "0 to 1",
        "null": "Gaussian kernels",
        "at": "depthwise layers",
    },
    "kernel_entropy": {
        "means": "entropy of the principal components of the kernels",
        "range": "0 to log10 k², in decades",
        "null": "Gaussian kernels of the same norms",
        "at": "depthwise layers",
    },
    "template_share": {
        "means": "share of the kernels' energy in kernels like one of eight known shapes",
        "range": "0 to 1",
        "null": "Gaussian kernels of the same norms",
        "at": "depthwise layers",
    },
}
SUMMARY = {
    "kernel_entropy": {
        "value": "kernel_entropy",
        "means": "mean entropy of depthwise kernels, in decades",
    },
    "kernel_sparsity": {"value": "kernel_sparsity", "means": "mean share of dead depthwise kernels"},
    "template_share": {"value": "template_share", "means": "mean share of depthwise kernels of known shapes"},
}
ALIKE = 0.9
"""Absolute cosine from which on a kernel counts as a shape."""


def depthwise(net: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the square depthwise convolutions of several kernels, by the name of the module."""
    return {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d)
        and module.groups == module.in_channels > 1
        and module.kernel_size[0] == module.kernel_size[1] > 1
    }


def sparsity(kernels: Tensor) -> Tensor:
    """Return the share of kernels (..., n, k^2) all of whose weights are below a hundredth of the largest of all."""
    largest = kernels.abs().amax(-1)
    return (largest < largest.amax(-1, keepdim=True) / 100).double().mean(-1)


def variance_entropy(kernels: Tensor) -> Tensor:
    """Return the entropy in decades of the shares of variance of the principal components of kernels (..., n, k^2)."""
    centred = kernels - kernels.mean(-2, keepdim=True)
    variances = torch.linalg.svdvals(centred) ** 2
    shares = variances / variances.sum(-1, keepdim=True)
    return -torch.special.xlogy(shares, shares).sum(-1) / torch.log(torch.tensor(10.0).to(shares))


@cache
def templates(size: int) -> Tensor:
    """Return the eight shapes as unit vectors (8, size^2), float64; the tap in the centre is the last."""
    axis = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    variance = 0.8**2
    gaussian = torch.exp(-(x**2 + y**2) / (2 * variance))
    shapes = [
        gaussian,
        (x**2 + y**2 - 2 * variance) * gaussian,
        x * gaussian,
        y * gaussian,
        (x**2 - variance) * gaussian,
        (y**2 - variance) * gaussian,
        x * y * gaussian,
        ((x == 0) & (y == 0)).double() if size % 2 else ((x.abs() < 1) & (y.abs() < 1)).double(),
    ]
    return nn.functional.normalize(torch.stack(shapes).flatten(1), dim=1)


def template_share(kernels: Tensor) -> Tensor:
    """Return the share of the energy of kernels (..., n, k^2) in those that are like one of the `templates`."""
    size = round(kernels.shape[-1] ** 0.5)
    energy = (kernels**2).sum(-1)
    cosine = nn.functional.normalize(kernels, dim=-1) @ templates(size).to(kernels).T
    return (energy * (cosine.abs().amax(-1) > ALIKE)).sum(-1) / energy.sum(-1)


def measure(context: Context) -> list[Value]:
    """Measure every depthwise layer; values depend on no image."""
    values = []
    for name, layer in depthwise(context.net).items():
        kernels = layer.weight.detach().double().flatten(1).cpu()
        where = {"site": name, "kind": "depthwise", "n": len(kernels), "m": kernels.shape[1]}
        if not torch.isfinite(kernels).all() or not kernels.any():
            values += [undefined(value, "weights are not finite, or all zero", **where) for value in VALUES]
            continue
        shape = (context.settings.null_draws, *kernels.shape)
        random = torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
        random = nn.functional.normalize(random, dim=2) * kernels.norm(dim=1, keepdim=True)
        for value, of in (
            ("kernel_sparsity", sparsity),
            ("kernel_entropy", variance_entropy),
            ("template_share", template_share),
        ):
            drawn = of(random)
            null = {"null": drawn.mean().item(), "null_sd": drawn.std().item()}
            values.append(Value(value, value=of(kernels).item(), **null, **where))
    return values
