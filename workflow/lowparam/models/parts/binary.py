"""Pointwise weights of two values, plus and minus the mean size of each filter (binary-weight network)."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("pointwise",)
LABEL = "binary weights"
PAPER = "Rastegari et al. 2016, arXiv 1603.05279, section 3.1"
EQUALS = (
    "The plain layer where the weights of each filter are c or -c. It learns as many values as the plain layer, and "
    "stores a bit for each and a scale for each filter."
)


class Binary(nn.Module):
    """Map real weights W to alpha sign(W), alpha the mean of |W| over a filter; sign(0) is 1.

    As in the authors' code, each training step subtracts the mean over input channels from the real weights and clamps
    them to [-1, 1], in place. The gradient is the derivative, with 1 for that of sign in [-1, 1]; the published
    formula has 1 / n instead of the derivative of alpha.

    Parameters
    ----------
    centred : bool
        Whether the mean is subtracted.
    """

    def __init__(self, *, centred: bool = True) -> None:
        super().__init__()
        self.centred = centred

    def forward(self, learned: Tensor) -> Tensor:
        value = learned.detach()
        if self.centred:
            value = value - value.mean(1, keepdim=True)
        value = value.clamp(-1, 1)
        if self.training:
            with torch.no_grad():
                learned.copy_(value)
        real = value + (learned - learned.detach())
        alpha = real.abs().mean((1, 2, 3), keepdim=True)
        sign = torch.where(value >= 0, 1.0, -1.0).to(value.dtype)
        return alpha * (sign + (real - value))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Begin at the initial weight of the plain layer."""
        return weight

    def stored_bits(self, weight: Tensor, bits: int) -> int:
        """Return the bits of the weight, one each, and of the scale of each filter."""
        return weight.numel() + bits * weight.shape[0]


def make(shape: tuple[int, ...]) -> nn.Module:
    """Return binary weights of this shape."""
    return Binary(centred=shape[1] > 1)  # of a single input channel nothing would be left
