"""M2, causal class cross-talk: what a push towards one class does to the logits of the others.

At a feature map, the direction of class k (mean pooled map of the class minus that of the others, scaled to length 1)
is added at all positions, as strong as the pooled map varies over images. J_kl is the mean change of logit l, minus
its mean over l. X = 1 - sum_k J_kk^2 / sum_kl J_kl^2 is the share of the effect that goes elsewhere, and
chi = (X - 1/K) / (1 - 2/K) puts it between two exact nulls: 0 for a readout that is a simplex, where X = 1/K, and 1
for directions that have nothing to do with the classes, where X = 1 - 1/K. Derived for this package.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import HeldOut, Pooled
from lowparam.models.blocks import Site

__all__ = ["branch_out", "centred_effects", "chi", "class_directions", "forced_chi", "measure", "steer"]

AT_ONCE = 512
"""Most feature maps that go through the rest of the network together."""

NOT_ALONE = "the rest of the network does not depend on the images through this site alone"


def class_directions(pooled: Pooled, classes: Tensor) -> tuple[Tensor, float]:
    """Unit class directions (len(classes), C), and the norm of the deviations of the pooled map."""
    images, total = pooled.images.sum(0), pooled.total.sum(0)
    everything, count = total.sum(0), images.sum()
    inside = total[classes] / images[classes, None]
    outside = (everything - total[classes]) / (count - images[classes, None])
    variance = (pooled.square.sum(0) / count - (everything / count) ** 2).clamp(min=0)
    return nn.functional.normalize(inside - outside, dim=1), variance.sum().sqrt().item()


def branch_out(
    net: nn.Module,
    module: nn.Module,
    images: HeldOut,
    index: np.ndarray,
    change: Callable[[Tensor, slice], Tensor],
    versions: int,
    device: torch.device,
) -> Tensor:
    """Change of the logits when the output of a module is changed in several ways.

    The images run up to the module once; there the batch is repeated, once for each version, so only the rest of the
    network runs many times. So the rest must depend on the images through this module alone.

    Parameters
    ----------
    change : callable
        From the feature map with channels last, (1, N, ..., C), and a slice of the versions to those versions of it,
        (versions in the slice, N, ..., C).
    versions : int
        How many there are.

    Returns
    -------
    Tensor
        float64 of shape (versions, images, outputs).

    Raises
    ------
    LowparamError
        If the rest of the network has another way to the images.
    """
    changes = []
    chunk = max(1, AT_ONCE // len(index) - 1)
    x = images.pixels(index).to(device).contiguous(memory_format=torch.channels_last)
    for start in range(0, versions, chunk):
        some = slice(start, min(start + chunk, versions))

        def push(module: nn.Module, inputs: tuple, output: Tensor, some: slice = some) -> Tensor:
            last = (output.permute(0, 2, 3, 1) if output.dim() == 4 else output)[None]
            all_of_them = torch.cat([last, change(last, some)]).flatten(0, 1)
            return all_of_them.permute(0, 3, 1, 2) if output.dim() == 4 else all_of_them

        hook = module.register_forward_hook(push)
        try:
            with torch.no_grad():
                logits = net(x).double()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # two batch sizes meet
            raise LowparamError(NOT_ALONE) from error
        finally:
            hook.remove()
        if len(logits) != (1 + some.stop - some.start) * len(x):
            raise LowparamError(NOT_ALONE)
        logits = logits.view(-1, len(x), logits.shape[1])
        changes.append(logits[1:] - logits[:1])
    return torch.cat(changes)


def steer(
    net: nn.Module, module: nn.Module, images: HeldOut, index: np.ndarray, directions: Tensor, device: torch.device
) -> Tensor:
    """Change of the logits (D, images, outputs) when one of D vectors (D, C) is added at all positions."""
    directions = directions.float().to(device)

    def push(vectors: Tensor, some: slice) -> Tensor:
        return vectors + directions[some].view(-1, *[1] * (vectors.dim() - 2), vectors.shape[-1])

    return branch_out(net, module, images, index, push, len(directions), device)


def centred_effects(change: Tensor) -> Tensor:
    """J (..., K, K) from logit changes (..., K directions, K logits): each row minus its mean."""
    return change - change.mean(-1, keepdim=True)


def chi(effects: Tensor) -> Tensor:
    """chi of J, of shape (..., K, K) with K > 2; NaN where nothing changes."""
    classes = effects.shape[-1]
    share = (effects.diagonal(dim1=-2, dim2=-1) ** 2).sum(-1) / (effects**2).sum((-2, -1))
    return (1 - share - 1 / classes) / (1 - 2 / classes)


def forced_chi(classes: int, channels: int) -> float:
    """The least chi of a linear readout: above 0 where the channels are fewer than the classes less 1."""
    floor = max(1 / classes, 1 - channels / classes)
    return (floor - 1 / classes) / (1 - 2 / classes)


def measure(
    net: nn.Module,
    name: str,
    site: Site,
    pooled: Pooled | None,
    images: HeldOut,
    *,
    count: int,
    most_classes: int,
    folds: int,
    draws: int,
    device: torch.device,
) -> tuple[list[Value], Tensor | None]:
    """chi at a site with its forced floor, and J averaged over images (None if undefined).

    The null shuffles which logit belongs to which direction: its mean is 1, and its deviation says how far chance
    takes one network from it.
    """
    where = {"site": name, "kind": site.kind}
    if pooled is None:
        return [undefined("chi", "the site was not read", **where)], None
    present = torch.nonzero(pooled.images.sum(0) > 0).flatten().cpu()
    channels = pooled.total.shape[2]
    if len(present) > most_classes:
        chosen = np.random.default_rng(0).permutation(len(present))[:most_classes]
        present = present[torch.from_numpy(np.sort(chosen))]
    classes = len(present)
    shape = {**where, "n": classes, "m": channels}
    if classes < 3:
        return [undefined("chi", f"it needs images of at least 3 classes, not {classes}", **shape)], None
    unit, strength = class_directions(pooled, present.to(pooled.total.device))
    if not torch.isfinite(unit).all() or not strength > 0:
        reason = "activations are not finite" if strength != strength else "the pooled map does not vary over images"
        return [undefined("chi", reason, **shape)], None
    index = images.spread(count)
    try:
        change = steer(net, site.output, images, index, unit * strength, device)
    except LowparamError as error:
        return [undefined("chi", str(error), **shape)], None
    if change.shape[2] < pooled.total.shape[1]:
        reason = f"the network has {change.shape[2]} outputs for {pooled.total.shape[1]} classes"
        return [undefined("chi", reason, **shape)], None
    change = centred_effects(change[:, :, present]).transpose(0, 1)  # (images, K, K)
    effects = change.mean(0)
    value = chi(effects).item()
    if value != value:
        return [undefined("chi", "the logits do not change, or are not finite", **shape)], None
    groups = [change[index % folds == fold].sum(0) for fold in np.unique(index % folds)]
    left_out = chi(change.sum(0) - torch.stack(groups)).cpu().numpy()
    lower, upper = interval(value, left_out)
    generator = np.random.default_rng(0)
    orders = torch.from_numpy(np.stack([generator.permutation(classes) for _ in range(draws)]))
    null_sd = chi(effects.cpu()[:, orders].transpose(0, 1)).std().item()
    note = f"{classes} of {pooled.total.shape[1]} classes" if classes < pooled.total.shape[1] else ""
    return [
        Value("chi", value=value, lower=lower, upper=upper, null=1.0, null_sd=null_sd, note=note, **shape),
        Value("chi_floor", value=forced_chi(classes, channels), **shape),
    ], effects
