"""Give measures their images: of a prepared data set, in memory or on disk, or given as a tensor."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lowparam.data import Dataset, Streamed
from lowparam.data.pixels import pixels_of
from lowparam.errors import LowparamError

__all__ = ["GivenImages", "HeldOut", "MeasuredImages", "evenly", "held_out", "spread"]


class MeasuredImages(Protocol):
    """What measures need of images; the index of an image decides its random positions and its fold."""

    @property
    def labels(self) -> Tensor:
        """The class of each image, int64 of shape (N,), from 0 to the number of classes less 1."""
        ...

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        ...

    def __len__(self) -> int: ...

    def pixels(self, index: np.ndarray) -> Tensor:
        """Return the inputs of the network (len(index), C, H, W) in float32, in the order of `index`."""
        ...

    def every_second(self) -> "MeasuredImages":
        """Return half of the images."""
        ...


@dataclass(frozen=True)
class HeldOut:
    """Held-out images of a data set.

    Parameters
    ----------
    dataset : Dataset or Streamed
        Where the images and their normalisation come from.
    rows : ndarray
        int64 of shape (N,): rows of the validation split followed by the test split.
    labels : Tensor
        int64 of shape (N,).
    """

    dataset: Dataset | Streamed
    rows: np.ndarray
    labels: Tensor

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, index: np.ndarray) -> Tensor:
        """Return normalised images (len(index), C, H, W) in float32, in the order of `index`."""
        splits, rows = (self.dataset.validation, self.dataset.test), self.rows[index]
        in_test = rows >= len(splits[0])
        images = torch.empty(len(rows), self.dataset.in_channels, self.dataset.size, self.dataset.size).byte()
        images[torch.from_numpy(~in_test)] = pixels_of(self.dataset, splits[0], rows[~in_test])
        images[torch.from_numpy(in_test)] = pixels_of(self.dataset, splits[1], rows[in_test] - len(splits[0]))
        return self.dataset.normalise(images)

    def every_second(self) -> "HeldOut":
        """Return half of the images."""
        return HeldOut(self.dataset, self.rows[::2], self.labels[::2])


@dataclass(frozen=True)
class GivenImages:
    """Images in memory, as the network takes them.

    Parameters
    ----------
    inputs : Tensor
        float32 of shape (N, C, H, W).
    labels : Tensor
        int64 of shape (N,), from 0 to the number of classes less 1.
    classes : list of str
        Names of the classes.
    """

    inputs: Tensor
    labels: Tensor
    classes: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, index: np.ndarray) -> Tensor:
        """Return the inputs (len(index), C, H, W) in the order of `index`."""
        return self.inputs[torch.from_numpy(index)]

    def every_second(self) -> "GivenImages":
        """Return half of the images."""
        return GivenImages(self.inputs[::2], self.labels[::2], self.classes)


def spread(images: MeasuredImages, count: int) -> np.ndarray:
    """Return the indices of at most `count` images, evenly spaced, as images may be sorted by class."""
    return evenly(len(images), count)


def evenly(total: int, count: int) -> np.ndarray:
    """Return at most `count` evenly spaced indices, int64, from 0 to total - 1, both included if there are several."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.int64))


def held_out(dataset: Dataset | Streamed, most: int) -> HeldOut:
    """Take at most `most` images of the validation and test splits together, evenly spaced.

    Raises
    ------
    LowparamError
        If there are none.
    """
    labels = torch.cat([dataset.validation.labels, dataset.test.labels])
    if not len(labels):
        raise LowparamError("the data set has no validation or test images to profile on")
    rows = evenly(len(labels), most)
    return HeldOut(dataset, rows, labels[torch.from_numpy(rows)])
