"""PatternAttribution: the gradient, with each weight times its pattern in place of the weight (arXiv 1705.05598).

The pattern of a unit y = w'x is a = cov(x, y) / var(y), the direction in which its inputs move when it moves: a weight
that only cancels a distractor has no part in it, so it gets nothing. Norms pass on what they get, because w times a
does not change when a unit is rescaled. Patterns are of all inputs (the linear estimator of the paper, section 3; its
estimator for rectified units takes inputs with y > 0 alone). Gates, softmax and products pass the ordinary gradient, as
do layers that are no plain convolution or linear layer: there it is a reading, as the paper has none of them.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.explanations.attributions import Subject

__all__ = ["attribute", "patterns"]

LABEL = "PatternAttribution"
PLACE = 30
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
BATCH = 128


def attribute(subject: Subject, images: Tensor, targets: Tensor) -> Tensor:
    """Return the sum over channels of the attribution (N, H, W), signed; it begins with the output itself."""
    net, found = subject.net, subject.patterns
    handles = []
    for name, module in net.named_modules():
        if name in found:
            handles.append(module.register_forward_hook(_weighted(found[name] * module.weight.detach())))
        elif isinstance(module, NORMS):
            handles.append(module.register_forward_hook(_passed_on))
    images = images.clone().requires_grad_()
    try:
        with torch.enable_grad():
            outputs = net(images).gather(1, targets[:, None])[:, 0]
            (gradient,) = torch.autograd.grad(outputs.sum(), images)
    finally:
        for handle in handles:
            handle.remove()
    return (gradient * outputs.detach()[:, None, None, None]).sum(1)


def patterns(net: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return the pattern of each convolution and linear layer, of the shape of its weight, by the module's name.

    Parameters
    ----------
    net : nn.Module
        In eval mode.
    images : Tensor
        (N, C, H, W), to compute the covariances from.
    """
    layers = {name: module for name, module in net.named_modules() if type(module) in (nn.Conv2d, nn.Linear)}
    sums: dict[str, list[Tensor]] = {}

    def add(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            x, weight = inputs[0].detach().double(), module.weight.detach().double().requires_grad_()
            axis = 1 if output.dim() == 4 and isinstance(module, nn.Conv2d) else -1
            with torch.enable_grad():
                plain = _apply(module, x, weight)
                y = plain.detach()
                # The gradient with respect to a weight is the sum of the inputs that it meets, times what is put in.
                (products,) = torch.autograd.grad((plain * y).sum(), weight, retain_graph=True)
                (inputs_,) = torch.autograd.grad(plain.sum(), weight)
            rows = y.movedim(axis, 0).flatten(1)
            count = torch.full((len(rows),), rows.shape[1], dtype=torch.float64, device=y.device)
            new = [products, inputs_, rows.sum(1), (rows**2).sum(1), count]
            sums[name] = [old + more for old, more in zip(sums[name], new, strict=True)] if name in sums else new

        return hook

    handles = [module.register_forward_hook(add(name)) for name, module in layers.items()]
    try:
        with torch.no_grad():
            for some in images.split(BATCH):
                net(some)
    finally:
        for handle in handles:
            handle.remove()
    found = {}
    for name, (products, inputs, total, square, count) in sums.items():
        shape = (-1, *[1] * (products.dim() - 1))
        mean, variance = total / count, square / count - (total / count) ** 2
        covariance = (products - inputs * mean.view(shape)) / count.view(shape)
        alive = (variance > 1e-12 * mean**2) & (variance > 0)
        scale = torch.where(alive, 1 / variance, 0).view(shape)
        found[name] = (covariance * scale).float()  # 0 for a unit that never moves
    return found


def _apply(module: nn.Module, x: Tensor, weight: Tensor) -> Tensor:
    """Return what a layer without its bias makes of an input with other weights."""
    if isinstance(module, nn.Conv2d):
        return module._conv_forward(x, weight, None)  # with the layer's stride, groups and kind of padding
    return F.linear(x, weight)


def _weighted(weight: Tensor) -> Callable:
    """Return a hook that leaves the values of a layer, and passes the gradient through other weights."""

    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        other = _apply(module, inputs[0], weight)
        return output.detach() + (other - other.detach())

    return hook


def _passed_on(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
    return output.detach() + (inputs[0] - inputs[0].detach())
