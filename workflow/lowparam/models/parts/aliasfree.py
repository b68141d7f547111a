"""A learned polynomial of degree 2 between ideal resampling up and down, in place of every activation of a block.

Section 3.2 of the paper: a polynomial of degree 2 doubles the band of a map, which twice the resolution can hold, and
a low-pass removes what does not fit the map. 3 C + 2 parameters an activation, as ``polynomial``.
"""

from torch import Tensor, nn

from lowparam.models.parts._lowpass import decimate, upsample
from lowparam.models.parts.polynomial import Polynomial

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "activation"
LABEL = "alias-free polynomial"
PAPER = "Michaeli, Michaeli and Soudry 2023, arXiv 2303.08085, section 3.2"
EQUALS = "polynomial on maps that are constant. It commutes with circular shifts, also by fractions of a pixel."

SMALLEST = 4


class AliasFree(Polynomial):
    """Upsample by 2, apply the polynomial, remove the upper half of the band, and keep every second position.

    Maps below 4 positions have no band to speak of and are not resampled. The convolutions keep their zero padding,
    where the paper's are circular, so that the activation is alias-free and the network only in its interior.
    """

    drawn = "alias-free polynomial"

    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < SMALLEST:
            return super().forward(x)
        return decimate(super().forward(upsample(x)))


def make(channels: int) -> nn.Module:
    """Return an alias-free activation of (N, channels, H, W)."""
    return AliasFree(channels)
