"""The archives of CIFAR-10 and CIFAR-100, in their binary version: the Python version is pickled, which runs code."""

import tarfile
from pathlib import Path

import numpy as np
import torch

from lowparam.data import Images
from lowparam.data.download import cache, fetch, verify
from lowparam.errors import LowparamError

__all__ = ["read_archive"]

SITE = "https://www.cs.toronto.edu/~kriz"


def read_archive(
    archive: str, checksum: str, path: str | None, *, train: list[str], test: list[str], names: str, label_bytes: int
) -> tuple[dict[str, Images], list[str]]:
    """Read an archive from a folder or, without one, from the cache, into which it is downloaded.

    Parameters
    ----------
    archive : str
        Name of the file, such as ``cifar-10-binary.tar.gz``.
    checksum : str
        Of the file, ``md5:<digits>``; no other is published.
    path : str or None
        Folder that has it.
    train, test : list of str
        Members with images: label bytes, then 32 x 32 values of red, of green and of blue, image after image.
    names : str
        Member with the names of the classes, one a line.
    label_bytes : int
        Bytes before the values; the last is the label.

    Returns
    -------
    parts : dict of Images
        ``train`` and ``test``.
    classes : list of str
        Names of the classes.

    Raises
    ------
    LowparamError
        If the archive is not there, or not the one that was published.
    """
    file = (cache("cifar") if path is None else Path(path).expanduser()) / archive
    if path is not None and not file.exists():
        raise LowparamError(f"{file} does not exist; fetch {SITE}/{archive} and put it there")
    fetch([f"{SITE}/{archive}"], file, checksum)
    verify(file, checksum)
    with tarfile.open(file) as members:
        contents = {Path(member.name).name: members.extractfile(member).read() for member in members if member.isfile()}
    parts = {
        part: _images(b"".join(contents[name] for name in files), label_bytes)
        for part, files in (("train", train), ("test", test))
    }
    return parts, contents[names].decode().split()


def _images(content: bytes, label_bytes: int) -> Images:
    rows = np.frombuffer(content, np.uint8).reshape(-1, label_bytes + 3 * 32 * 32)
    pixels = torch.from_numpy(rows[:, label_bytes:].reshape(-1, 3, 32, 32).copy())
    return Images(pixels, torch.from_numpy(rows[:, label_bytes - 1].astype(np.int64)))
