"""Give the pixels of any images of a data set, in memory or on disk, as networks see them."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor

from lowparam.data.dataset import Dataset, Files, Images, Streamed
from lowparam.data.decode import decode
from lowparam.errors import LowparamError

__all__ = ["pixels_in_batches", "pixels_of"]

BATCH = 256


def pixels_of(dataset: Dataset | Streamed, split: Images | Files, rows: np.ndarray) -> Tensor:
    """Return images of some rows of a split, uint8 (len(rows), C, H, W); decode them on all cores if they are on disk.

    Raises
    ------
    LowparamError
        If a file cannot be decoded.
    """
    if isinstance(split, Images):
        return split.pixels[torch.from_numpy(rows)]
    assert isinstance(dataset, Streamed)
    # Threads, because PIL releases the interpreter lock while it decodes and scales.
    parallel = Parallel(n_jobs=len(os.sched_getaffinity(0)), backend="threading")
    pixels = parallel(delayed(_decoded)(dataset, Path(split[int(row)][0])) for row in rows)
    shape = (dataset.in_channels, dataset.size, dataset.size)
    return torch.from_numpy(np.stack(pixels)) if len(rows) else torch.empty((0, *shape), dtype=torch.uint8)


def pixels_in_batches(dataset: Dataset | Streamed, split: Images | Files) -> Iterator[Tensor]:
    """Yield all images of a split in their order, uint8 (at most 256, C, H, W)."""
    for start in range(0, len(split), BATCH):
        yield pixels_of(dataset, split, np.arange(start, min(start + BATCH, len(split))))


def _decoded(dataset: Streamed, path: Path) -> np.ndarray:
    try:
        return decode(path.read_bytes(), dataset.size, dataset.in_channels, dataset.value_range)
    except (OSError, ValueError) as error:
        raise LowparamError(f"{path} is not a readable image: {error}") from error
