"""Pointwise weights in tiles of 8 x 8 that one small linear network makes from learned codes (static hypernetwork)."""

import math

from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "ON", "PAPER", "SLOT", "make", "share"]

SLOT = "kernel"
ON = ("pointwise",)
LABEL = "hypernetwork"
PAPER = "Ha, Dai and Le 2016, arXiv 1609.09106, section 3.1"
EQUALS = (
    "Any weight of one tile where a code has b^2 values. It learns z D + b (z + 1) z + b (z + 1) values for D tiles of "
    "b x b with codes of z values; b = 8 and z = 16 by default."
)


class HyperNetwork(nn.Module):
    """Make tiles (D, b, b) from codes (D, z) by two linear layers, the second one for all inputs of a tile.

    Parameters
    ----------
    tile, code : int
        b and z.
    """

    def __init__(self, tile: int, code: int) -> None:
        super().__init__()
        self.tile, self.code = tile, code
        self.first = nn.Linear(code, tile * code)  # the matrices W_i of the paper, i = 1 to b
        self.second = nn.Linear(code, tile)
        # Tiles then vary as much as their codes. The paper's own initialisation is in an appendix we could not read.
        for layer in (self.first, self.second):
            nn.init.normal_(layer.weight, std=code**-0.5)
            nn.init.zeros_(layer.bias)
        self.undecayed = {"first.bias": 1.0, "second.bias": 1.0}

    def forward(self, codes: Tensor) -> Tensor:
        return self.second(self.first(codes).unflatten(1, (self.tile, self.code))).mT


class FromCodes(nn.Module):
    """Put the tiles of one weight side by side, and cut off what is more than its channels.

    The paper has numbers of channels that the tiles divide.
    """

    def __init__(self, shape: tuple[int, ...], network: HyperNetwork) -> None:
        super().__init__()
        self.shape = shape
        self.network = (network,)  # in a tuple, as it belongs to all weights
        self.rows, self.columns = (math.ceil(size / network.tile) for size in shape[:2])

    def forward(self, codes: Tensor) -> Tensor:
        (network,) = self.network
        b = network.tile
        tiles = network(codes).view(self.rows, self.columns, b, b)
        weight = tiles.transpose(1, 2).reshape(self.rows * b, self.columns * b)
        return weight[: self.shape[0], : self.shape[1], None, None]

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Draw codes with the standard deviation of the initial weight."""
        codes = weight.new_empty(self.rows * self.columns, self.network[0].code)
        return codes.normal_() * weight.detach().std()


def share(shapes: list[tuple[int, ...]], tile: int = 8, code: int = 16) -> nn.Module:
    """Return the hypernetwork. The paper has tiles of 16 and codes of 64, for networks of 0.5 M parameters."""
    return HyperNetwork(tile, code)


def make(shape: tuple[int, ...], shared: nn.Module, index: int) -> nn.Module:
    """Return a weight of this shape, made by the hypernetwork."""
    return FromCodes(shape, shared)
