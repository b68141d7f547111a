"""Penalise overlap between the columns of projections: an intervention, to see whether interference costs accuracy.

A projection maps a wide hidden layer to a narrow stream. Its columns are what each hidden channel writes; where they
are more than the stream has dimensions, they cannot all be orthogonal, and the penalty is the mean of their squared
cosines: 0 for orthogonal columns, and at least (n - m) / (m (n - 1)) for n columns in m dimensions (Welch 1974).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.skeletons.controlled import Network
from lowparam.training.penalties import Penalty

__all__ = ["coherence", "make", "projections"]


def make(net: Network) -> Penalty:
    """Return the mean squared cosine between columns of the projections of a network."""
    weights = projections(net)
    return lambda: coherence(weights)


def projections(net: Network) -> list[Tensor]:
    """Return the weights, (outputs, inputs, 1, 1), of the projections of a network, as parameters.

    Raises
    ------
    LowparamError
        If the network has no projection of at least two columns.
    """
    layers = [site.pointwise for site in net.sites().values() if site.kind == "projection"]
    weights = [layer.weight for layer in layers if isinstance(layer, nn.Conv2d) and layer.weight[0].numel() > 1]
    if not weights:
        raise LowparamError("recipe key penalties.incoherence: this architecture has no projections; leave it out")
    return weights


def coherence(weights: list[Tensor]) -> Tensor:
    """Compute the mean over matrices of the mean squared cosine between two different columns, from 0 to 1."""
    values = []
    for weight in weights:
        columns = F.normalize(weight.flatten(1), dim=0)
        m, n = columns.shape
        # All squared cosines, the n of columns with themselves among them, from the smaller of the two Gram matrices.
        gram = columns @ columns.T if m < n else columns.T @ columns
        values.append((gram.square().sum() - n) / (n * (n - 1)))
    return torch.stack(values).mean()
