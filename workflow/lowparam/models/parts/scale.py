"""Layer scale: x + gamma f(x) with a learned factor per channel."""

from torch import nn

from lowparam.models.layers import LayerScale

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "scale"]

SLOT = "shortcut"
LABEL = "layer scale"
PAPER = "Touvron et al. 2021, arXiv 2103.17239"
EQUALS = "The block without it where gamma is 1."


def scale(channels: int) -> nn.Module:
    """Return a layer scale that begins at 1e-6, as ConvNeXt's."""
    return LayerScale(channels)
