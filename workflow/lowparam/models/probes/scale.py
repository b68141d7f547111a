"""The shrinking of SoLU alone: each position scaled to the norm that SoLU would give it."""

import torch
from torch import Tensor, nn

__all__ = ["LABEL", "VARIANTS", "ScaleOnly"]

LABEL = "its shrinking alone"


class ScaleOnly(nn.Module):
    """x times one number for each position, so that its norm over channels is that of SoLU(x).

    The direction of x stays. The number is a constant to the gradient.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            shrunk = (x * x.softmax(dim=1)).norm(dim=1, keepdim=True)
            ratio = shrunk / x.norm(dim=1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        return x * ratio


VARIANTS = {"": ScaleOnly}
