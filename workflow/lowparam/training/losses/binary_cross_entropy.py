"""Binary cross-entropy of every output by itself, for images with several labels; outputs may have weights."""

import torch.nn.functional as F
from torch import Tensor

from lowparam.training.losses import Loss

__all__ = ["make"]


def make(*, label_smoothing: float = 0.0) -> Loss:
    """Return the binary cross-entropy in nats, averaged over images and over outputs by their importance.

    Besides logits and targets, the loss takes `importance`, the weights of the outputs (K,); by default all count the
    same. `label_smoothing` of each target is replaced by 1/2.
    """

    def loss(logits: Tensor, targets: Tensor, importance: Tensor | None = None) -> Tensor:
        if not targets.is_floating_point():
            targets = F.one_hot(targets, logits.shape[1])
        targets = targets.to(logits.dtype) * (1 - label_smoothing) + label_smoothing / 2
        each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(0)
        return each.mean() if importance is None else (each * importance).sum() / importance.sum()

    return loss
