"""All weights of the blocks' convolutions from a quarter as many learned numbers, each in random places (PRANC)."""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make", "share"]

SLOT = "kernel"
ON = ("spatial", "pointwise")
LABEL = "PRANC, shared numbers"
PAPER = "Nooralinejad et al. 2023, arXiv 2206.08464; the authors' cheap form, pranc_bin"
EQUALS = (
    "Free weights at a ratio of 1. It learns N / 4 values for N weights. The paper's own form, a sum of k random "
    "networks, would hold k N numbers: for 25 k learned values some 2,500 M."
)


class Numbers(nn.Module):
    """The learned numbers, and the places of each: those of a random permutation that is the same in every run.

    As in the authors' code they begin as N(0, 1) / 10 in all layers.

    Parameters
    ----------
    shapes : list of tuple of int
        Shapes of the weights, in order.
    ratio : int
        Weights for each number.
    """

    places: Tensor

    def __init__(self, shapes: list[tuple[int, ...]], ratio: int) -> None:
        super().__init__()
        self.sizes = [torch.Size(shape).numel() for shape in shapes]
        weights = sum(self.sizes)
        self.numbers = nn.Parameter(torch.randn(max(1, round(weights / ratio))) / 10)
        places = torch.empty(weights, dtype=torch.long)
        if not places.is_meta:
            seeded = torch.Generator().manual_seed(0)
            places = torch.randperm(weights, generator=seeded, device="cpu") % len(self.numbers)
        self.register_buffer("places", places, persistent=False)

    def weights(self, index: int) -> Tensor:
        """Return the weights of one kernel, flat."""
        start = sum(self.sizes[:index])
        return self.numbers[self.places[start : start + self.sizes[index]]]


class FromNumbers(nn.Module):
    """Read one weight off the numbers."""

    def __init__(self, shape: tuple[int, ...], numbers: Numbers, index: int) -> None:
        super().__init__()
        self.shape, self.numbers, self.index = shape, (numbers,), index  # in a tuple, as they belong to the network

    def forward(self) -> Tensor:
        return self.numbers[0].weights(self.index).view(self.shape)

    def right_inverse(self, weight: Tensor) -> tuple[()]:
        return ()  # all is learned in the numbers


def share(shapes: list[tuple[int, ...]], ratio: int = 4) -> nn.Module:
    """Return the numbers of all weights.

    The paper's ratios are 10 to 100. At equal learned parameters a network has that many times the weights of its host,
    and takes as much more time.
    """
    return Numbers(shapes, ratio)


def make(shape: tuple[int, ...], shared: nn.Module, index: int) -> nn.Module:
    """Return the weight number `index`, read off the numbers."""
    return FromNumbers(shape, shared, index)
