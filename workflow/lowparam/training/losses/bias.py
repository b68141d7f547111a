"""Cross-entropy that weighs an image by how much the values of its last feature map vary: Bias Loss.

The mean over images of z times the cross-entropy, z = exp(beta u) - 1 + alpha, where u is the variance of all values of
the image's map before pooling, from 0 for the least in the batch to 1 for the most (Abrahamyan et al. 2021,
arXiv 2107.11170, with the constants and the normalisation ``local`` of the authors' code). No gradient reaches the map
through z. The weights also make the loss smaller, 0.3 to 0.65 times, which is a lower learning rate; the control is
``even: 1``, where each image has the mean weight of its batch. The authors' other normalisation, by the least variance
since training began, is left out: a checkpoint does not hold it, so a training could not resume to the same bits.
"""

import torch.nn.functional as F
from torch import Tensor

from lowparam.models.skeletons.controlled import Network
from lowparam.training.losses import Loss
from lowparam.training.losses._last_map import keep_last_map

__all__ = ["make_for_network", "weights"]


def make_for_network(
    net: Network, *, label_smoothing: float = 0.0, alpha: float = 0.3, beta: float = 0.3, even: float = 0.0
) -> Loss:
    """Return the weighted cross-entropy in nats for a network; targets may be mixed.

    With `alpha` 1 and `beta` 0 it is cross-entropy. Any `even` but 0 gives all images of a batch their mean weight.
    """
    last_map = keep_last_map(net, "bias")

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        z = weights(last_map(), alpha, beta)
        z = z.mean().expand_as(z) if even else z
        return (z * F.cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction="none")).mean()

    return loss


def weights(maps: Tensor, alpha: float, beta: float) -> Tensor:
    """Return the weights (N,) of images from their maps (N, C, H, W): from alpha to exp(beta) - 1 + alpha."""
    variance = maps.detach().float().flatten(1).var(1)
    least, most = variance.aminmax()
    return (beta * (variance - least) / (most - least).clamp(min=1e-12)).exp() - 1 + alpha
