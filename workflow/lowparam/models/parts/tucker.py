"""Dense kernels as a small core between one matrix for the outputs and one for the inputs (Tucker form)."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("spatial", "pointwise")
LABEL = "Tucker form"
PAPER = "Zangrando et al. 2024, arXiv 2305.19059, section 2; ranks are fixed"
EQUALS = (
    "1x1, k x k and 1x1 convolution with r2 and r1 channels in between and nothing else; any kernel at full ranks. It "
    "learns r1 r2 k^2 + Co r1 + Ci r2 values. Depthwise kernels stay as they are."
)


class Tucker(nn.Module):
    """Multiply a core (r1, r2, k, k) with a matrix (Co, r1) and one (Ci, r2), orthonormal at the start.

    This is the form of the weights in the paper, and not its method, which adapts the ranks while training.

    Parameters
    ----------
    ranks : pair of int
        r1 of the outputs and r2 of the inputs.
    """

    def __init__(self, ranks: tuple[int, int]) -> None:
        super().__init__()
        self.ranks = ranks

    def forward(self, core: Tensor, out: Tensor, inputs: Tensor) -> Tensor:
        return torch.einsum("rskl,or,is->oikl", core, out, inputs)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Begin at the best approximation of the initial weight that both bases allow, scaled to the same norm."""
        modes = (weight.flatten(1), weight.transpose(0, 1).flatten(1))
        if weight.is_meta:  # only shapes are counted
            out, inputs = (mode.new_empty(len(mode), rank) for mode, rank in zip(modes, self.ranks, strict=True))
            return weight.new_empty(*self.ranks, *weight.shape[2:]), out, inputs
        out, inputs = (
            torch.linalg.svd(mode, full_matrices=False).U[:, :rank]
            for mode, rank in zip(modes, self.ranks, strict=True)
        )
        core = torch.einsum("oikl,or,is->rskl", weight, out, inputs)
        return core * (weight.norm() / core.norm()), out.contiguous(), inputs.contiguous()


def make(shape: tuple[int, ...], share: float = 0.5) -> nn.Module | None:
    """Return the Tucker form of a dense weight, at a share of its channels; None for a depthwise one.

    The authors' code caps ranks at half of the channels. Above the rank that the other axes leave, nothing is gained.
    """
    out, inputs, *kernel = shape
    if inputs == 1:
        return None
    positions = kernel[0] * kernel[1]
    ranks = [max(1, round(share * out)), max(1, round(share * inputs))]
    return Tucker((min(ranks[0], ranks[1] * positions), min(ranks[1], ranks[0] * positions)))
