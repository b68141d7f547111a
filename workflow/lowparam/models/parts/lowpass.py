"""An ideal low-pass and every second position in place of striding (down-sampling of alias-free ConvNets)."""

from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.parts._lowpass import decimate

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "make"]

SLOT = "down"
LABEL = "ideal low-pass"
PAPER = "Michaeli, Michaeli and Soudry 2023, arXiv 2303.08085, section 3.3"
EQUALS = "Plain striding on maps without the upper half of their frequencies. It has 0 parameters."


class LowPass(nn.Module):
    """Keep the lower half of the frequencies of (N, C, H, W), then every second position."""

    drawn = "low-pass"

    def forward(self, x: Tensor) -> Tensor:
        return decimate(x)


def make(channels: int, stride: int) -> nn.Module:
    """Return the low-pass of (N, channels, H, W), at a stride of 2."""
    if stride != 2:
        raise LowparamError(f"the part lowpass halves maps; it cannot stride by {stride}")
    return LowPass()
