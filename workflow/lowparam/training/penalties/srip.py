"""Penalise the largest deviation of filters from orthonormality: SRIP, the spectral restricted isometry property.

The sum over layers of the spectral norm of W'W - I, which two steps of power iteration from a random vector estimate
(Bansal, Chen & Wang 2018, arXiv 1810.09102, section 3.4). The Gram matrix is that of the smaller side, as in the
authors' code for Wide ResNets, and the layers are those of `orthonormality`. The authors lower the weight over the
epochs to 0; here it is constant.
"""

import torch
from torch import Tensor

from lowparam.models.skeletons.controlled import Network
from lowparam.training.penalties import Penalty
from lowparam.training.penalties.orthonormality import deviation, filters

__all__ = ["make", "spectral_norm"]


def make(net: Network) -> Penalty:
    """Return the sum of the estimated spectral norms of the deviations of a network's dense filters."""
    layers = filters(net, "srip")
    return lambda: torch.stack([spectral_norm(deviation(layer.weight)) for layer in layers]).sum()


def spectral_norm(matrix: Tensor, steps: int = 2) -> Tensor:
    """Estimate the spectral norm of a symmetric matrix (n, n) by power iteration from a random vector.

    At most the norm itself, up to rounding; the gradient goes through all steps, as in the authors' code.
    """
    vector = torch.randn(len(matrix), 1, dtype=matrix.dtype, device=matrix.device)
    for _ in range(steps - 1):
        vector = matrix @ vector
        vector = vector / vector.norm().clamp(min=1e-12)
    image = matrix @ vector
    return image.norm() / vector.norm().clamp(min=1e-12)
