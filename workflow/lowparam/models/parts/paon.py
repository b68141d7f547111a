"""A ratio of two depthwise convolutions in place of the spatial convolution and the activation after it (Padé neuron).

Degrees [1/1]; the definition is in ``_paon.py``. 2 k^2 C + C parameters.
"""

from torch import nn

from lowparam.models.layers import ConvNormAct
from lowparam.models.parts._paon import Paon

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "finish", "make"]

SLOT = "spatial"
LABEL = "Padé neuron"
PAPER = "Keles and Tekalp 2024, arXiv 2403.11791, section 2"
EQUALS = "Half of a depthwise convolution with a bias where the denominator is constant, as at its start."


def make(channels: int, kernel: int, stride: int) -> nn.Module:
    """Return a Padé neuron of (N, channels, H, W)."""
    return Paon(channels, kernel, stride)


def finish(net: nn.Module) -> None:
    """Leave out the activation after each Padé neuron, which is not linear itself; norms stay."""
    for module in net.modules():
        if isinstance(module, ConvNormAct) and hasattr(module, "act"):
            conv = module.conv[0] if isinstance(module.conv, nn.Sequential) else module.conv
            if isinstance(conv, Paon):
                module.act = nn.Identity()
