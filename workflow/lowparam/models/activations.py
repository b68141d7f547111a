"""SoLU and where it goes: the probe of interference of Hollard et al. 2025.

SoLU(x) = x * softmax(x) (Elhage et al. 2022, "Softmax Linear Units"). The paper applies it "on residual streams" and
leaves the axis and the place open. Here the softmax runs over channels at each position, and the place is a
named reading.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.blocks.base import Block

__all__ = ["ACTIVATIONS", "Probe", "SoLU", "find_activation", "insert"]


class SoLU(nn.Module):
    """x * softmax(x) over the channels of (N, C, H, W), at each position by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.softmax(dim=1)


@dataclass(frozen=True)
class Probe:
    """Which module goes where.

    Parameters
    ----------
    placement : {"stream", "branch", "activation"} or None
        ``stream``: after the residual sum (S1). ``branch``: on what is added to the stream (S2).
        ``activation``: in place of the block's activation (S3). None: nowhere.
    make : callable or None
        Makes the module from the number of channels.
    """

    placement: str | None
    make: Callable[[int], nn.Module] | None = None


ACTIVATIONS: dict[str, Probe] = {
    "base": Probe(None),
    "solu_s1": Probe("stream", lambda channels: SoLU()),
    "solu_s2": Probe("branch", lambda channels: SoLU()),
    "solu_s3": Probe("activation", lambda channels: SoLU()),
}


def find_activation(name: str) -> Probe:
    """Return the probe of that name.

    Raises
    ------
    LowparamError
        If there is none; the message lists those that exist.
    """
    if name not in ACTIVATIONS:
        raise LowparamError(f"unknown activation {name!r}: known are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def insert(block: Block, probe: Probe) -> None:
    """Put a stream or branch probe into a block, sized to its output channels."""
    if probe.placement == "stream":
        block.after_sum = probe.make(block.out_channels)
    elif probe.placement == "branch":
        block.on_branch = probe.make(block.out_channels)
