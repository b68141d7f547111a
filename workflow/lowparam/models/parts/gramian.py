"""Three heads that read the products of channels over all positions, in place of mean pooling (Gramian heads).

A reading: the class attention of the paper's heads is left out, because at our sizes it costs as much as the network,
and so is the loss that makes the heads differ, which belongs to a recipe. 3 (D g + g + (g (g + 1) / 2 + 1) K)
parameters for D channels, g of each head and K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "GramianHeads", "make"]

SLOT = "head"
LABEL = "Gramian heads"
PAPER = "Ryu et al. 2023, arXiv 2310.16483, section 3; a reading without class attention and loss"
EQUALS = "The same logits for any order of the positions, and for any factor of what the products are taken of."


class GramianHead(nn.Module):
    """Map (N, D, H, W) to logits: 1x1 convolution to g channels, their Gram matrix, its upper half, L2 norm, linear."""

    def __init__(self, features: int, classes: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(features, channels, 1)
        rows, columns = torch.triu_indices(channels, channels, device="cpu").tolist()
        self.places = [row * channels + column for row, column in zip(rows, columns, strict=True)]
        self.linear = nn.Linear(len(self.places), classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.reduce(x).flatten(2)
        gram = (y @ y.mT).flatten(1)[:, self.places]
        return self.linear(F.normalize(gram))


class GramianHeads(nn.Module):
    """Add the logits of parallel heads, as the paper does to predict."""

    drawn = "Gramian heads"

    def __init__(self, features: int, classes: int, *, heads: int = 3, channels: int = 8) -> None:
        super().__init__()
        self.heads = nn.ModuleList(GramianHead(features, classes, channels) for _ in range(heads))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([head(x) for head in self.heads]).sum(0)


def make(features: int, classes: int, size: int) -> nn.Module:
    """Return the heads of (N, features, size, size). The paper has 5 heads of 192 channels."""
    return GramianHeads(features, classes)
