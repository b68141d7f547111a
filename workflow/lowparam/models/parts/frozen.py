"""Frozen random kernels in the spatial convolutions; pointwise layers, norms and classifier learn."""

from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial",)
LABEL = "frozen random filters"
PAPER = "Gavrikov and Keuper 2023, arXiv 2301.11360, section 3"
EQUALS = "The block at its initialisation. It learns 0 values for each kernel."


class Frozen(nn.Module):
    """Keep the initial weight for ever: a buffer, saved with the network, that no optimiser sees."""

    weight: Tensor

    def forward(self) -> Tensor:
        return self.weight

    def right_inverse(self, weight: Tensor) -> tuple[()]:
        self.register_buffer("weight", weight.detach().clone())
        return ()  # nothing is learned

    def stored_bits(self, weight: Tensor, bits: int) -> int:
        """Return the bits of the weight, which is stored though not learned."""
        return bits * weight.numel()


def make(shape: tuple[int, ...]) -> nn.Module:
    """Return what keeps a weight of this shape as it was initialised."""
    return Frozen()
