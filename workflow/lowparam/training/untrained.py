"""When a network counts as untrained: it has learned no more than which class is the largest."""

__all__ = ["is_untrained", "threshold"]


def threshold(largest_share: float) -> float:
    """Return the training accuracy that a trained network exceeds, min(2p, p + 0.1).

    Parameters
    ----------
    largest_share : float
        p, the share of the largest class among the training images: the accuracy of naming it always.
    """
    return min(2 * largest_share, largest_share + 0.1)


def is_untrained(train_accuracy: float, largest_share: float) -> bool:
    """Whether a network with a finished training has learned too little for its accuracy to say anything about it.

    Parameters
    ----------
    train_accuracy : float
        Share of the training images that it classifies correctly after the training.
    largest_share : float
        As in `threshold`.
    """
    return train_accuracy <= threshold(largest_share)
