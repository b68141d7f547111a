"""Cross-entropy minus the coding-rate reduction of the last features: classes are pushed into subspaces of their own.

R - sum_k (n_k / n) R_k nats, with R = 1/2 logdet(I + C / (n e) Z'Z) of the n pooled maps of a batch as rows of Z, in C
channels and scaled to length 1, R_k the same of class k, and the distortion e = 0.5 (maximal coding rate reduction: Yu
et al. 2020, arXiv 2006.08558; Ding et al. 2023, arXiv 2301.01805; the rate is also that of CRATE, arXiv 2306.01129).
Mixed labels are the shares of an image in classes, as in the papers. It is a reading: they train on the reduction alone
and fit a classifier afterwards, where here the cross-entropy trains the classifier at the same time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lowparam.models.skeletons.controlled import Network
from lowparam.training.losses import Loss
from lowparam.training.losses._last_map import keep_last_map

__all__ = ["make_for_network", "reduction"]

DISTORTION = 0.5


def make_for_network(net: Network, *, label_smoothing: float = 0.0, weight: float = 1.0) -> Loss:
    """Return the mean cross-entropy minus `weight` times the rate reduction, both in nats, for a network.

    Targets may be mixed; label smoothing is for the cross-entropy alone. At `weight` 0 it is cross-entropy.
    """
    last_map = keep_last_map(net, "rate_reduction")

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        shares = targets if targets.is_floating_point() else F.one_hot(targets, logits.shape[1])
        with torch.autocast(logits.device.type, enabled=False):  # determinants need float32
            gain = reduction(last_map().float().mean((2, 3)), shares.float())
        return F.cross_entropy(logits, targets, label_smoothing=label_smoothing) - weight * gain

    return loss


def reduction(features: Tensor, shares: Tensor) -> Tensor:
    """Return the rate reduction in nats, at least 0, of features (n, C) with shares in classes (n, K)."""
    unit = F.normalize(features, dim=1)
    counts = shares.sum(0)
    by_class = shares.T.sqrt()[:, :, None] * unit
    within = (counts * _rate(by_class, counts)).sum() / len(unit)
    return _rate(unit, counts.new_tensor(len(unit))) - within


def _rate(rows: Tensor, count: Tensor) -> Tensor:
    """Return the rates of matrices (..., n, C) that hold `count` (...,) unit vectors, from the smaller Gram matrix."""
    n, channels = rows.shape[-2:]
    gram = rows @ rows.mT if n < channels else rows.mT @ rows
    scale = channels / (count.clamp(min=1e-6) * DISTORTION)
    return torch.linalg.slogdet(torch.eye(min(n, channels)).to(gram) + scale[..., None, None] * gram).logabsdet / 2
