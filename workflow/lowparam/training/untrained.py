"""When a network counts as untrained: it has learned hardly more than which class is the largest."""

from torch import Tensor

__all__ = ["is_untrained", "largest_share", "threshold"]


def largest_share(labels: Tensor) -> float:
    """Return p, the share of the largest class among labels, int64 (N,): the accuracy of naming it always."""
    return labels.bincount().max().item() / len(labels)


def threshold(share: float) -> float:
    """Return the training accuracy that a trained network exceeds, min(2p, p + 0.1).

    Parameters
    ----------
    share : float
        p, the share of the largest class among the training images.
    """
    return min(2 * share, share + 0.1)


def is_untrained(train_accuracy: float, share: float) -> bool:
    """Whether a network with a finished training has learned too little for its accuracy to say anything about it.

    Parameters
    ----------
    train_accuracy : float
        Share of the training images that it classifies correctly after the training.
    share : float
        As in `threshold`.
    """
    return train_accuracy <= threshold(share)
