"""StarNet's block with learned coefficients of what the product is made of, an open question about the star operation.

A public summary of "Rewrite the Stars" (Ma et al. 2024, arXiv 2403.19967) proposes to learn or to regularise how much
each implicit dimension counts, without a form; this is a reading. The penalty `coefficients` regularises them.
"""

import torch
from torch import Tensor, nn

from lowparam.models.blocks.base import Site
from lowparam.models.blocks.starnet import StarBlock

__all__ = ["ARCHITECTURES", "Coefficients", "LearnedStar"]


class Coefficients(nn.Module):
    """a u * v + b u + c v from u * v, u and v, with a, b and c learned for each channel; a begins at 1, b and c at 0.

    The product alone weighs the terms of degree two, and those of degree one that biases add, alike.

    Parameters
    ----------
    channels : int
        Channels of u and v.
    """

    drawn = "learned coefficients"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_product = nn.Parameter(torch.ones(channels, 1, 1))
        self.of_first, self.of_second = (nn.Parameter(torch.zeros(channels, 1, 1)) for _ in range(2))

    def forward(self, product: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return self.of_product * product + self.of_first * first + self.of_second * second


class LearnedStar(StarBlock):
    """As `starnet` with a u * v + b u + c v in place of u * v, with three learned numbers for each hidden channel.

    It begins as `starnet`. u is ReLU6 of the first PW, v is the second.
    """

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        self.coefficients = Coefficients(hidden)

    def branch(self, x: Tensor) -> Tensor:
        first, second = self.branches(self.depthwise_in(x))
        joined = self.coefficients(self.join(first, second), first, second)
        return self.scale(self.depthwise_out(self.project(self.gate(self.act_product(joined)))))

    def inner_sites(self) -> list[Site]:
        """Return the sites of `starnet`, and the weighted sum after its product."""
        *before, project, spatial = super().inner_sites()
        return [*before, Site("sum", self.coefficients, name="weighted"), project, spatial]


ARCHITECTURES = {"starcoef": LearnedStar}
LABELS = {"starcoef": "StarNet, learned coefficients"}
