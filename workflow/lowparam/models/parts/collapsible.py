"""Two linear layers with a wide map in between while training, one pointwise layer afterwards (SESR)."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make"]

SLOT = "kernel"
ON = ("pointwise",)
LABEL = "collapsible linear block"
PAPER = "Bhardwaj et al. 2022, arXiv 2103.09404, section 3"
EQUALS = (
    "The plain layer whose weight is the product of the two. Its parameters are those of the plain layer, Ci Co; while "
    "training it learns p (Ci + Co)."
)


class Collapsible(nn.Module):
    """Multiply two matrices, and add the identity where input and output have as many channels.

    This is the paper's efficient form: the layers collapse at each step, and one convolution follows. There are no
    biases in between, because with them the authors' collapsed and expanded layers differ.

    Parameters
    ----------
    width : int
        Channels p in between.
    """

    collapses = True  # counted as the weight that remains, not as what is learned

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        weight = second @ first
        if weight.shape[0] == weight.shape[1]:
            weight = weight + torch.eye(weight.shape[0], device=weight.device, dtype=weight.dtype)
        return weight[:, :, None, None]

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Draw both matrices uniformly as Glorot and Bengio do, which is Keras's default."""
        out, inputs = weight.shape[:2]
        first, second = weight.new_empty(self.width, inputs), weight.new_empty(out, self.width)
        return nn.init.xavier_uniform_(first), nn.init.xavier_uniform_(second)


def make(shape: tuple[int, ...], ratio: int = 4) -> nn.Module:
    """Return the two matrices of a pointwise weight, with p = ratio max(Ci, Co) channels in between.

    The paper has p = 256 for 16 channels, and 64 in its large networks.
    """
    return Collapsible(ratio * max(shape[:2]))
