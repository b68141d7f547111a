"""Linearity of blocks: how much of what a block does a linear map of its input would do.

The share of the variance of the target that the best linear map of the block's input explains (Razzhigaev et al. 2024,
arXiv 2405.12250, called Procrustes similarity there, is this multivariate R^2 on the images that were fitted). Here it
is cross-validated: fitted on all folds of images but one, with a ridge of a thousandth of the mean variance of the
inputs, and evaluated on that one, so that unrelated maps have 0 or less and not the number of inputs over that of
samples.

The target is the branch, what the block adds to its input. With a shortcut, the output is nearly linear in the input
whatever the branch does: 1 / (1 + r^2) for an independent branch of relative size r. The inputs are the channels at one
position, or those of its 3 x 3 neighbourhood, with which a linear depthwise convolution counts as linear, apart from
what a bias does at the border of the map. Where a block strides, its input is pooled to the size of its output.
A linear block can still interfere.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lowparam.interference.branches import branches
from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import chosen_positions, run
from lowparam.interference.sums import zeros

__all__ = ["explained", "measure"]

PLACE = 114
NEEDS = ("network",)
COST = 0.57
VALUES = {
    "linearity_branch": {
        "means": "share of a branch's variance that a linear map of the channels at the position explains",
        "range": "up to 1",
        "null": "0 or less",
        "at": "stream",
    },
    "linearity_branch_3x3": {
        "means": "the same of a linear map of the channels in the 3 x 3 neighbourhood",
        "range": "up to 1",
        "null": "0 or less",
        "at": "stream",
    },
    "linearity_block": {
        "means": "the same as linearity_branch of the block's output, which a shortcut makes linear by itself",
        "range": "up to 1",
        "null": "0 or less",
        "at": "stream",
    },
}
SUMMARY = {
    "linearity_branch": {"value": "linearity_branch", "means": "mean linearity of branches, at a position"},
    "linearity_branch_3x3": {"value": "linearity_branch_3x3", "means": "mean linearity of branches, in 3 x 3"},
}
IMAGES, POSITIONS, FOLDS, RIDGE = 1000, 8, 5, 1e-3
WIDEST = 600
"""Most inputs of a map that is fitted: 8,000 samples tell nothing about more."""


class Products:
    """Sums of (x, y)(x, y)' and of (x, y), per fold, with x the inputs (d,) and y the targets (t,)."""

    def __init__(self, inputs: int, targets: int, device: torch.device) -> None:
        width = inputs + targets
        self.inputs = inputs
        self.count = zeros(FOLDS, device=device)
        self.total, self.outer = zeros(FOLDS, width, device=device), zeros(FOLDS, width, width, device=device)

    def add(self, fold: int, rows: Tensor) -> None:
        """Add rows (samples, d + t) to a fold."""
        rows = rows.double()
        self.count[fold] += len(rows)
        self.total[fold] += rows.sum(0)
        self.outer[fold] += rows.T @ rows


def explained(
    count: Tensor, total: Tensor, outer: Tensor, inputs: Sequence[int] | slice, targets: slice
) -> tuple[Tensor, Tensor]:
    """Return the squared errors of held-out linear maps, and of held-out means, per fold (folds,).

    Parameters
    ----------
    count, total, outer : Tensor
        Sums over samples of 1, z and zz', per fold: (folds,), (folds, D), (folds, D, D).
    inputs, targets
        Which of the D numbers of a sample are inputs and targets.
    """
    errors, variances = [], []
    for fold in range(len(count)):
        left = count.sum() - count[fold]
        mean = (total.sum(0) - total[fold]) / left
        covariance = (outer.sum(0) - outer[fold]) / left - mean[:, None] * mean
        within = covariance[inputs][:, inputs]
        ridge = RIDGE * within.diagonal().mean() * torch.eye(len(within)).to(within)
        weights = torch.linalg.solve(within + ridge, covariance[inputs][:, targets])  # (d, t)
        # Second moments of the fold left out, around the mean of the others.
        own = total[fold]
        moved = outer[fold] - own[:, None] * mean - mean[:, None] * own + count[fold] * mean[:, None] * mean
        variance = moved[targets][:, targets].trace()
        fitted = (weights * moved[inputs][:, targets]).sum()
        squared = ((moved[inputs][:, inputs] @ weights) * weights).sum()
        errors.append(variance - 2 * fitted + squared)
        variances.append(variance)
    return torch.stack(errors), torch.stack(variances)


def measure(context: Context) -> list[Value]:
    """Measure every stream, on at most a thousand images."""
    sums = _collect(context)
    values = []
    for name, site in context.streams.items():
        where = {"site": name, "kind": site.kind}
        if name not in sums:
            values += [
                undefined(value, "the block's input and output are not feature maps", **where) for value in VALUES
            ]
            continue
        products, channels = sums[name]
        d, t = channels
        shape = {**where, "n": d, "m": t}
        wide = products.inputs > d
        centre = slice(4 * d, 5 * d) if wide else slice(0, d)
        branch, stream = slice(products.inputs, products.inputs + t), slice(products.inputs + t, None)
        values += [
            _value("linearity_branch", products, centre, branch, shape),
            _value("linearity_branch_3x3", products, slice(0, 9 * d), branch, shape)
            if wide
            else undefined("linearity_branch_3x3", f"9 x {d} inputs are more than {WIDEST}", **shape),
            _value("linearity_block", products, centre, stream, shape),
        ]
    return values


def _value(measure: str, products: Products, inputs: slice, targets: slice, shape: dict) -> Value:
    if not torch.isfinite(products.total).all():
        return undefined(measure, "activations are not finite", **shape)
    if (products.count == 0).any():
        return undefined(measure, f"it needs {FOLDS} images at least", **shape)
    errors, variances = explained(products.count, products.total, products.outer, inputs, targets)
    if not variances.sum() > 1e-12 * products.outer[:, targets][:, :, targets].diagonal(dim1=1, dim2=2).sum():
        return undefined(measure, "the branch does not vary", **shape)
    value = (1 - errors.sum() / variances.sum()).item()
    left_out = 1 - (errors.sum() - errors) / (variances.sum() - variances)
    lower, upper = interval(value, left_out.cpu().numpy())
    return Value(measure, value=value, lower=lower, upper=upper, null=0.0, **shape)


def _collect(context: Context) -> dict[str, tuple[Products, tuple[int, int]]]:
    """Run the images, and return the sums at each stream with its numbers of input and output channels."""
    sums: dict[str, tuple[Products, tuple[int, int]]] = {}
    inputs: dict[str, tuple[Tensor, Tensor]] = {}
    names = {id(site.output): name for name, site in context.streams.items()}
    index = np.empty(0, dtype=np.int64)

    def see(name: str, x: Tensor, branch: Tensor) -> None:
        if x.dim() == branch.dim() == 4:
            inputs[name] = (x, branch)

    def close(module, args, output: Tensor) -> None:
        name = names[id(module)]
        if name not in inputs:
            return
        x, branch = (maps[: len(index)] for maps in inputs.pop(name))
        x = F.adaptive_avg_pool2d(x, branch.shape[2:]) if x.shape[2:] != branch.shape[2:] else x
        wide = 9 * x.shape[1] <= WIDEST
        # Neighbours by position, then by channel: the centre is the fifth group.
        around = (
            F.unfold(x, 3, padding=1).unflatten(1, (x.shape[1], 9)).transpose(1, 2).flatten(1, 2)
            if wide
            else x.flatten(2)
        )
        maps = torch.cat([around, branch.flatten(2), output[: len(index)].flatten(2)], 1).mT  # (N, positions, D)
        if name not in sums:
            shape = (x.shape[1], branch.shape[1])
            sums[name] = Products(around.shape[1], 2 * branch.shape[1], x.device), shape
        chosen = np.stack([chosen_positions(maps.shape[1], POSITIONS, i) for i in index])
        maps = maps[torch.arange(len(index))[:, None], torch.from_numpy(chosen)]
        for fold in range(FOLDS):
            rows = maps[torch.from_numpy(index % FOLDS == fold)]
            if len(rows):
                sums[name][0].add(fold, rows.flatten(0, 1))

    modules = {name: site.output for name, site in context.streams.items()}
    everything = spread(context.images, IMAGES)
    # The hooks of `branches` come first, so that the branch is known when the output is.
    with branches(modules, see), torch.no_grad():
        handles = [module.register_forward_hook(close) for module in modules.values()]
        try:
            for start in range(0, len(everything), 256):
                index = everything[start : start + 256]
                run(context.net, context.images, index, context.device)
        finally:
            for handle in handles:
                handle.remove()
    return sums
