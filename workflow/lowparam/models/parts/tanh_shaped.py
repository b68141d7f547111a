"""tanh(g x) in place of every activation of a block, with a gain g that falls with depth: activation shaping.

g = (l + 1)^-0.4 in activation l of the network, counted from 0, as in the authors' code: after a norm, deeper ones are
nearer to linear, and gradients do not explode with depth as batch norm makes them (arXiv 2310.02012). The paper has it
in networks of linear layers, batch norm and orthogonal weights; here the rest of the network stays as it is. ReLU would
not change, because the norm of the next layer takes a gain away again.
"""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "ShapedTanh", "finish", "make"]

SLOT = "activation"
LABEL = "shaped tanh"
PAPER = "Meterez et al. 2023, arXiv 2310.02012"
EQUALS = "tanh at an exponent of 0, and in the first activation of a network. It has 0 parameters."

EXPONENT = -0.4


class ShapedTanh(nn.Module):
    """tanh of the input times a gain, which depends on the place in the network."""

    drawn = "shaped tanh"

    def __init__(self) -> None:
        super().__init__()
        self.gain = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.gain * x)

    def extra_repr(self) -> str:
        return f"gain={self.gain:.3g}"


def make(channels: int) -> nn.Module:
    """Return a shaped tanh; its gain is set when the network is complete."""
    return ShapedTanh()


def finish(net: nn.Module, exponent: float = EXPONENT) -> None:
    """Set the gains of all shaped activations of a network in their order."""
    shaped = [module for module in net.modules() if isinstance(module, ShapedTanh)]
    for number, module in enumerate(shaped):
        module.gain = (number + 1) ** exponent
