"""Tune how a training on a CPU takes memory from the system."""

import ctypes
import sys

__all__ = ["KEPT", "tune_malloc"]

KEPT = 75_000_000  # values of a batch; 0.3 GB in float32
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def tune_malloc(values: int) -> None:
    """Tune glibc's malloc: keep freed memory for small networks, return it to the system for large ones.

    By default glibc gives large pieces back and takes them again at every step, which costs up to a fifth of the time.
    Kept pieces are cut up, so that a process holds twice what it needs: too much for large maps. No result depends on
    this, and another C library than glibc is left as it is.

    Parameters
    ----------
    values : int
        Activation values that a batch keeps for the gradient.
    """
    malloc = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if malloc is not None:
        malloc(M_MMAP_THRESHOLD, 2**30 if values < KEPT else 2**22)
        malloc(M_TRIM_THRESHOLD, 2**30)
