"""SoLU, where it goes, and its controls: the probe of interference of Hollard et al. 2025.

SoLU(x) = x * softmax(x) (Elhage et al. 2022, "Softmax Linear Units"). The paper applies it "on residual streams" and
leaves the axis and the place open. Here the softmax runs over channels at each position, and the place is a
named reading:

``s1``  after the residual sum; on the output of a block that has no shortcut
``s2``  on the branch, before it is added; on a block without a shortcut the same as ``s1``
``s3``  in place of the activation inside the block

SoLU does several things at once, so each control keeps some of them:

``solu_<place>``        the thing itself
``solu_<place>_xc``     times the number of channels: uniform softmax changes nothing, so no shrinking by width
``solu_<place>_ln``     followed by a layer norm over channels, as in the original: no shrinking at all
``scale_<place>``       the shrinking alone: each position scaled to the norm that SoLU would give it
``topk_<place>``        the sparsity alone: the largest channels pass unchanged, the others are zero
``solu_<place>_t4``     softmax of x / 4: softer
``solu_<place>_t0.25``  softmax of 4 x: sharper

None has parameters, so that a budget gives the same widths with each of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowparam.errors import LowparamError
from lowparam.models.blocks.base import Block

__all__ = ["PROBES", "Probe", "ScaleOnly", "SoLU", "TopK", "find_probe", "insert"]


class SoLU(nn.Module):
    """x * softmax(x / temperature) over the channels of (N, C, H, W), at each position by itself.

    Parameters
    ----------
    temperature : float
        Above 0; 1 is the original, larger is softer.
    times_channels : bool
        Multiply by C.
    normalise : bool
        Follow with a layer norm over channels without parameters (eps 1e-6).
    """

    def __init__(self, *, temperature: float = 1.0, times_channels: bool = False, normalise: bool = False) -> None:
        super().__init__()
        self.temperature, self.times_channels, self.normalise = temperature, times_channels, normalise

    def forward(self, x: Tensor) -> Tensor:
        y = x * (x / self.temperature).softmax(dim=1)
        if self.times_channels:
            y = y * x.shape[1]
        if self.normalise:
            y = y.movedim(1, -1)
            y = functional.layer_norm(y, y.shape[-1:], eps=1e-6).movedim(-1, 1)
        return y


class ScaleOnly(nn.Module):
    """x times one number for each position, so that its norm over channels is that of SoLU(x).

    The direction of x stays. The number is a constant to the gradient.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            shrunk = (x * x.softmax(dim=1)).norm(dim=1, keepdim=True)
            ratio = shrunk / x.norm(dim=1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        return x * ratio


class TopK(nn.Module):
    """The k largest channels at each position unchanged, the others zero.

    k is the number of channels that SoLU(x) effectively uses there: its participation ratio, the squared sum of
    absolute values over the sum of squares, rounded.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = (x * x.softmax(dim=1)).abs()
            used = y.sum(dim=1, keepdim=True).square() / y.square().sum(dim=1, keepdim=True)
            kept = used.nan_to_num(1.0).round().clamp(1, x.shape[1])
            rank = x.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return x * (rank < kept)


@dataclass(frozen=True)
class Probe:
    """Which module goes where.

    Parameters
    ----------
    placement : {"stream", "branch", "activation"} or None
        ``stream``: after the residual sum (S1). ``branch``: on what is added to the stream (S2).
        ``activation``: in place of the block's activation (S3). None: nowhere.
    make : callable or None
        Makes the module, which maps (N, C, H, W) to the same shape.
    """

    placement: str | None
    make: Callable[[], nn.Module] | None = None


PLACEMENTS = {"s1": "stream", "s2": "branch", "s3": "activation"}

PROBES: dict[str, Probe] = {"none": Probe(None)}
for _place, _placement in PLACEMENTS.items():
    PROBES |= {
        f"solu_{_place}": Probe(_placement, SoLU),
        f"solu_{_place}_xc": Probe(_placement, lambda: SoLU(times_channels=True)),
        f"solu_{_place}_ln": Probe(_placement, lambda: SoLU(normalise=True)),
        f"scale_{_place}": Probe(_placement, ScaleOnly),
        f"topk_{_place}": Probe(_placement, TopK),
        f"solu_{_place}_t4": Probe(_placement, lambda: SoLU(temperature=4.0)),
        f"solu_{_place}_t0.25": Probe(_placement, lambda: SoLU(temperature=0.25)),
    }


def find_probe(name: str) -> Probe:
    """Return the probe of that name.

    Raises
    ------
    LowparamError
        If there is none; the message lists those that exist.
    """
    if name not in PROBES:
        raise LowparamError(f"unknown probe {name!r}: known are {', '.join(PROBES)}")
    return PROBES[name]


def insert(block: Block, probe: Probe) -> None:
    """Put a stream or branch probe into a block."""
    if probe.placement == "stream":
        block.after_sum = probe.make()
    elif probe.placement == "branch":
        block.on_branch = probe.make()
