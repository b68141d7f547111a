"""Cross-entropy with label smoothing (Szegedy et al. 2016, arXiv 1512.00567, section 7): the default."""

from functools import partial

import torch.nn.functional as F

from lowparam.training.losses import Loss

__all__ = ["make"]


def make(*, label_smoothing: float = 0.0) -> Loss:
    """Return the mean cross-entropy in nats; `label_smoothing` of the mass is spread evenly over all classes."""
    return partial(F.cross_entropy, label_smoothing=label_smoothing)
