"""Ideal resampling of maps by 2, which makes a network alias-free (Michaeli et al. 2023, arXiv 2303.08085).

Maps count as periodic. Their rows and columns are multiplied by matrices, because for maps of 4 to 32 positions that is
faster than a Fourier transform, and works at every precision.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

__all__ = ["decimate", "upsample"]


def upsample(x: Tensor) -> Tensor:
    """Interpolate (N, C, H, W) to (N, C, 2 H, 2 W): the only map there with the spectrum of x."""
    return _apply(x, _interpolation(x.shape[2]), _interpolation(x.shape[3]))


def decimate(x: Tensor) -> Tensor:
    """Remove the upper half of the frequencies of (N, C, H, W), and keep every second position, rounded up."""
    return _apply(x, _decimation(x.shape[2]), _decimation(x.shape[3]))


def _apply(x: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    left, right = (torch.as_tensor(matrix, dtype=x.dtype, device=x.device) for matrix in (rows, columns))
    return left @ x @ right.T


@cache
def _interpolation(size: int) -> np.ndarray:
    """Return the (2 size, size) matrix that interpolates a period. The highest frequency of an even size is halved."""
    spectrum = np.fft.rfft(np.eye(size), axis=0)
    if size % 2 == 0:
        spectrum[-1] /= 2
    return np.fft.irfft(2 * spectrum, n=2 * size, axis=0)


@cache
def _decimation(size: int) -> np.ndarray:
    """Return the matrix that removes all frequencies a map of half the size cannot have, and keeps each second row."""
    spectrum = np.fft.rfft(np.eye(size), axis=0)
    # The highest frequency of the smaller map goes too: its phase would be lost.
    spectrum[np.arange(len(spectrum)) >= size / 4] = 0
    return np.fft.irfft(spectrum, n=size, axis=0)[::2]
