"""The images that an export is calibrated and checked on, as the network takes them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lowparam.data import Dataset, Files, Images, Streamed, standardise
from lowparam.data.pixels import pixels_of
from lowparam.errors import LowparamError
from lowparam.interference.held_out import evenly

__all__ = ["BATCH", "Inputs", "inputs_of"]

BATCH = 256


@dataclass(frozen=True)
class Inputs:
    """Images that are read batch by batch, and their labels.

    Parameters
    ----------
    images : Tensor or (dataset, split, mean, std)
        float32 (N, C, H, W) as the network takes them; or where they are read from, and how they are standardised.
    rows : ndarray
        int64 (N,), which of them.
    labels : Tensor or None
        int64 (N,), the class of each of these rows, if it is known.
    """

    images: Tensor | tuple[Dataset | Streamed, Images | Files, Tensor, Tensor]
    rows: np.ndarray
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield images, float32 (at most 256, C, H, W), and their labels."""
        for start in range(0, len(self.rows), BATCH):
            rows = self.rows[start : start + BATCH]
            labels = None if self.labels is None else self.labels[start : start + BATCH]
            if isinstance(self.images, Tensor):
                yield self.images[torch.from_numpy(rows)], labels
            else:
                dataset, split, mean, std = self.images
                yield standardise(pixels_of(dataset, split, rows), mean, std), labels


def inputs_of(
    dataset: Dataset | Streamed, split: str, most: int, *, mean: Tensor | None = None, std: Tensor | None = None
) -> Inputs:
    """Take at most `most` images of a split, evenly spaced, standardised as the network was trained with.

    Raises
    ------
    LowparamError
        If the split has none.
    """
    images = getattr(dataset, split)
    if not len(images):
        raise LowparamError(f"the data set has no {split} images, which an export needs; give another one with --data")
    rows = evenly(len(images), most)
    mean, std = dataset.mean if mean is None else mean, dataset.std if std is None else std
    return Inputs((dataset, images, mean, std), rows, images.labels[torch.from_numpy(rows)])
