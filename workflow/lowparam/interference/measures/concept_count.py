"""Concepts: how many non-negative directions carry what the classifier needs of a map.

The last rectified map of several positions is factored as S P with c rows P >= 0 and S >= 0 (Zhang et al. 2020, arXiv
2006.15417, by scikit-learn's NMF), put back, and the accuracy is compared. `concepts_needed` is the least c that loses
at most one point, over the number of channels; `components_needed` is the same of principal components, which may be of
any sign. With as many concepts as channels nothing is lost, so this is at most 1 and cannot show superposition: it
tells how compressible a map is. For more features than channels there is `sparse_features`.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, undefined
from lowparam.interference.one_pass import run_all

__all__ = ["factored", "measure", "principal"]

PLACE = 124
NEEDS = ("logits",)
COST = 0.34
VALUES = {
    "concepts_needed": {
        "means": "least number of non-negative directions that keep the accuracy within a point, over the channels",
        "range": "0 to 1",
        "null": "none",
        "at": "activation (last)",
    },
    "components_needed": {
        "means": "the same of principal components",
        "range": "0 to 1",
        "null": "none",
        "at": "activation (last)",
    },
}
SUMMARY = {
    "concepts_needed": {"value": "concepts_needed", "means": "concepts that keep the accuracy, over the channels"},
    "components_needed": {"value": "components_needed", "means": "principal components that do"},
}
IMAGES, LOST = 256, 1.0
MOST = 12
"""Numbers of concepts that are tried."""


def factored(rows: np.ndarray, count: int) -> np.ndarray:
    """Return the best product of `count` non-negative concepts for rows (samples, C) of 0 or more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near the end of the descent the accuracy is the same
        model = NMF(count, init="nndsvda", max_iter=200, random_state=0)
        return model.fit_transform(rows) @ model.components_


def principal(rows: np.ndarray, count: int) -> np.ndarray:
    """Return rows (samples, C) from their first `count` principal components."""
    mean = rows.mean(0)
    _, _, axes = np.linalg.svd(rows - mean, full_matrices=False)
    return mean + (rows - mean) @ axes[:count].T @ axes[:count]


def measure(context: Context) -> list[Value]:
    """Measure the last rectified map of several positions, on at most 256 images."""
    index = spread(context.images, IMAGES)
    labels = context.images.labels[torch.from_numpy(index)]
    seen: dict[str, list[Tensor]] = {}
    modules = {name: m for name, m in context.net.named_modules() if isinstance(m, nn.ReLU | nn.ReLU6)}

    def keep(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            if output.dim() == 4 and output.shape[2:].numel() > 1 and output.shape[1] > 1:
                seen.setdefault(name, []).append(output.detach().clone())

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        logits = run_all(context.net, context.images, index, context.device)
    finally:
        for handle in handles:
            handle.remove()
    name = next(reversed(seen), "")
    where = {"site": name, "kind": "activation"}
    if not name:
        return [undefined(value, "no rectified map of several positions was found", **where) for value in VALUES]
    if logits.shape[1] < len(context.images.classes):
        reason = f"the network has {logits.shape[1]} outputs for {len(context.images.classes)} classes"
        return [undefined(value, reason, **where) for value in VALUES]
    if len(seen[name]) > 1:
        return [undefined(value, "the activation runs several times an image", **where) for value in VALUES]
    maps = seen[name][0]
    if not torch.isfinite(maps).all() or not maps.any():
        return [undefined(value, "the map is not finite, or zero", **where) for value in VALUES]
    channels = maps.shape[1]
    rows = maps.movedim(1, -1).reshape(-1, channels).double().cpu().numpy()
    whole = (logits.argmax(1) == labels).double().mean().item()

    def lost(approximated: np.ndarray) -> float:
        """Return the points of accuracy that are lost when the map is replaced."""
        other = torch.from_numpy(approximated).to(maps).view(len(maps), *maps.shape[2:], channels).movedim(-1, 1)
        handle = modules[name].register_forward_hook(lambda module, inputs, output: other)
        try:
            changed = run_all(context.net, context.images, index, context.device)
        finally:
            handle.remove()
        return 100 * (whole - (changed.argmax(1) == labels).double().mean().item())

    tried = sorted({round(float(c)) for c in np.geomspace(1, channels, MOST)})
    values = []
    for value, approximate in (("concepts_needed", factored), ("components_needed", principal)):
        # With all channels nothing is lost, so the last count need not be tried.
        needed = next((c for c in tried[:-1] if lost(approximate(rows, c)) <= LOST), channels)
        values.append(Value(value, value=needed / channels, n=needed, m=channels, **where))
    return values
