"""Effective parameters: along how many directions the outputs on some images can be moved by the parameters.

J has the gradient of each centred output on each image, (N K, P). The participation ratio of J J', over its rank at
most min(P, N (K - 1)), is 1 if all outputs can be moved alike, and small if a few directions move all of them.
`jacobian_rank` is the share of that rank which is there (eigenvalues above 1e-10 of the largest). For networks of at
most 1,000 parameters also the rank and the spread of the Hessian of the cross-entropy itself (after Singh et al. 2023,
arXiv 2305.09088, who bound it for convolutional networks; their bound was not available here, that of linear networks
is tested). All of it depends on the parametrisation: a batch norm changes the length of gradients and not the function.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, undefined

__all__ = ["hessian", "jacobian", "measure", "participation", "rank"]

PLACE = 128
NEEDS = ("logits",)
COST = 2.6
VALUES = {
    "effective_parameters": {
        "means": "participation ratio of the gradients of all outputs on 16 images, over their largest rank",
        "range": "0 to 1",
        "null": "none",
        "at": "the network",
    },
    "jacobian_rank": {
        "means": "rank of these gradients over its largest",
        "range": "0 to 1",
        "null": "none",
        "at": "the network",
    },
    "hessian_rank": {
        "means": "rank of the Hessian of the cross-entropy over the number of parameters, up to 1,000 of these",
        "range": "0 to 1",
        "null": "none",
        "at": "the network",
    },
    "hessian_negative": {
        "means": "share of the absolute eigenvalues of that Hessian that is negative",
        "range": "0 to 1",
        "null": "none",
        "at": "the network",
    },
}
SUMMARY = {
    "effective_parameters": {"value": "effective_parameters", "means": "share of directions that move the outputs"},
}
IMAGES, CLASSES, SMALL = 16, 10, 1000
SMALLEST = 1e-10


def jacobian(net: nn.Module, images: Tensor, outputs: int) -> Tensor:
    """Return the gradients of the first outputs, less their mean, with respect to all parameters, (N K, P), float64."""
    net = copy.deepcopy(net).requires_grad_()
    parameters = list(net.parameters())
    rows = []
    with torch.enable_grad():
        logits = net(images)[:, :outputs]
        centred = (logits - logits.mean(1, keepdim=True)).flatten()
        for output in centred:
            found = torch.autograd.grad(output, parameters, retain_graph=True, allow_unused=True)
            parts = [torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters, strict=True)]
            rows.append(torch.cat([part.flatten() for part in parts]).double())
    return torch.stack(rows)


def hessian(net: nn.Module, loss: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the Hessian of a loss of the outputs with respect to all parameters, (P, P), in float64."""
    parameters = {name: parameter.detach().double() for name, parameter in net.named_parameters()}
    buffers = {name: b.double() if b.is_floating_point() else b for name, b in net.named_buffers()}
    sizes = [parameter.numel() for parameter in parameters.values()]

    def of(flat: Tensor) -> Tensor:
        parts = zip(parameters.items(), flat.split(sizes), strict=True)
        given = {name: part.view(parameter.shape) for (name, parameter), part in parts}
        return loss(functional_call(net, given | buffers, (images.double(),)))

    flat = torch.cat([parameter.flatten() for parameter in parameters.values()])
    with torch.enable_grad():
        return torch.autograd.functional.hessian(of, flat)


def participation(eigenvalues: Tensor) -> Tensor:
    """Return tr^2 / tr of square."""
    return eigenvalues.sum() ** 2 / eigenvalues.square().sum()


def rank(eigenvalues: Tensor) -> int:
    """Return how many eigenvalues are above 1e-10 of the largest, in size."""
    sizes = eigenvalues.abs()
    return int((sizes > SMALLEST * sizes.max()).sum())


def measure(context: Context) -> list[Value]:
    """Measure the network on 16 images, and up to 10 classes."""
    index = spread(context.images, IMAGES)
    images = context.images.pixels(index).to(context.device)
    labels = context.images.labels[torch.from_numpy(index)].to(context.device)
    where = {"kind": "the network"}
    count = sum(parameter.numel() for parameter in context.net.parameters())
    found = jacobian(context.net, images, CLASSES)
    outputs = len(found) // len(images)
    most = min(count, len(images) * (outputs - 1))
    if not torch.isfinite(found).all() or not found.any() or most < 1:
        return [undefined(value, "gradients are not finite, or all zero", **where) for value in VALUES]
    eigenvalues = torch.linalg.eigvalsh(found @ found.T).clamp(min=0)
    shape = {**where, "n": len(found), "m": count}
    values = [
        Value("effective_parameters", value=(participation(eigenvalues) / most).item(), **shape),
        Value("jacobian_rank", value=min(1.0, rank(eigenvalues) / most), **shape),
    ]
    if count > SMALL or len(context.images.classes) > outputs:
        reason = f"the network has {count:,} parameters, and the Hessian their square"
        return values + [undefined(value, reason, **shape) for value in ("hessian_rank", "hessian_negative")]
    matrix = hessian(context.net, lambda logits: nn.functional.cross_entropy(logits, labels), images)
    eigenvalues = torch.linalg.eigvalsh(matrix)
    negative = eigenvalues.clamp(max=0).abs().sum() / eigenvalues.abs().sum()
    return [
        *values,
        Value("hessian_rank", value=rank(eigenvalues) / count, **shape),
        Value("hessian_negative", value=negative.item(), **shape),
    ]
