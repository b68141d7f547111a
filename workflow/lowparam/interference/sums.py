"""Sum over a feature map per fold of images, in float64; a measure and its jackknife come from the same sums."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["Moments", "Pooled", "Statistics", "zeros"]


def zeros(*shape: int, device: torch.device) -> Tensor:
    """Return float64 zeros of a shape."""
    return torch.zeros(*shape, dtype=torch.float64, device=device)


@dataclass
class Moments:
    """Sums of a feature map's vectors at the sampled positions, per fold of images.

    ``count`` is (folds,), ``total`` is (folds, C), ``outer`` is (folds, C, C), all float64.
    """

    count: Tensor
    total: Tensor
    outer: Tensor

    @classmethod
    def empty(cls, folds: int, channels: int, device: torch.device) -> "Moments":
        """Return sums of nothing."""
        shapes = ((folds,), (folds, channels), (folds, channels, channels))
        return cls(*(zeros(*shape, device=device) for shape in shapes))

    def add(self, first: int, rack: Tensor, count: Tensor) -> None:
        """Add vectors to consecutive folds.

        Parameters
        ----------
        first : int
            The first of these folds.
        rack : Tensor
            (these folds, any number, C): the vectors of each fold, padded with zeros.
        count : Tensor
            (these folds,): the number of vectors of each.
        """
        rack, folds = rack.double(), slice(first, first + len(rack))
        self.count[folds] += count
        self.total[folds] += rack.sum(1)
        self.outer[folds].baddbmm_(rack.mT, rack)

    @property
    def channels(self) -> int:
        """C, the number of channels."""
        return self.total.shape[1]

    def covariance(self) -> Tensor:
        """Return the covariance (C, C) of all vectors (divided by their number)."""
        mean = self.total.sum(0) / self.count.sum()
        return self.outer.sum(0) / self.count.sum() - mean[:, None] * mean

    def deviations(self) -> tuple[Tensor, Tensor]:
        """Return the standard deviation of each channel (C,), and without each fold (folds with images, C)."""
        filled = self.count > 0
        square = self.outer.diagonal(dim1=1, dim2=2)

        def deviation(count: Tensor, total: Tensor, square: Tensor) -> Tensor:
            mean = total / count[..., None]
            variance = square / count[..., None] - mean**2
            # The rounding error of a constant in float64 is not a variance.
            return torch.where(variance > 1e-12 * mean**2, variance, variance * 0).sqrt()

        sums = (self.count, self.total, square)
        of_all = deviation(*(value.sum(0) for value in sums))
        return of_all, deviation(*(value.sum(0) - value[filled] for value in sums))

    def fold_covariances(self) -> Tensor:
        """Return the covariances (folds with images, C, C) of each fold alone, around the mean of all images."""
        filled = self.count > 0
        outer = self.outer if filled.all() else self.outer[filled]
        count, total = self.count[filled, None], self.total[filled]
        mean = (self.total.sum(0) / self.count.sum()).expand_as(total)
        # outer / count - own mean' - mean own' + mean mean', as one product of rank 2
        left = torch.stack([total, count * mean], 2)
        right = torch.stack([mean, total / count - mean], 1)
        return torch.baddbmm(outer, left, right, alpha=-1).div_(count[:, :, None])


@dataclass
class Pooled:
    """Sums over images of the pooled map of a stream, per fold, all float64.

    ``images`` (folds, K): images of a class. ``total`` (folds, K, C): pooled maps by class. ``square`` (folds, C):
    their squares. ``positions``: number of positions of the map. ``stride``: height of the input over that of the map.
    """

    images: Tensor
    total: Tensor
    square: Tensor
    positions: int
    stride: float

    @classmethod
    def empty(
        cls, folds: int, classes: int, channels: int, device: torch.device, *, positions: int, stride: float
    ) -> "Pooled":
        """Return sums of nothing."""
        shapes = ((folds, classes), (folds, classes, channels), (folds, channels))
        images, total, square = (zeros(*shape, device=device) for shape in shapes)
        return cls(images, total, square, positions, stride)


@dataclass
class Statistics:
    """The result of one pass.

    ``images`` is the number of images, ``folds`` that of their groups.

    ``inputs`` and ``outputs`` map a site's name to the `Moments` of its pointwise layer's input and of its own feature
    map; ``pooled`` maps a stream's name to `Pooled`. ``failed`` maps a site's name to why it could not be read.
    """

    images: int
    folds: int
    inputs: dict[str, Moments] = field(default_factory=dict)
    outputs: dict[str, Moments] = field(default_factory=dict)
    pooled: dict[str, Pooled] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
