"""Read the archives of CIFAR-10 and CIFAR-100 in their binary version; the pickled Python version could run code."""

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
    """Read an archive from a folder, or download it into the cache if no folder is given.

    Parameters
    ----------
    archive : str
        File name, such as ``cifar-10-binary.tar.gz``.
    checksum : str
        ``md5:<digits>`` of the file; no other checksum is published.
    path : str or None
        Folder of the archive.
    train, test : list of str
        Members with images: label bytes, then 32 x 32 values of red, green and blue, image by image.
    names : str
        Member with the names of the classes, one per line.
    label_bytes : int
        Bytes before the values; the last is the label.

    Returns
    -------
    splits : dict of Images
        ``train`` and ``test``.
    classes : list of str
        Names of the classes.

    Raises
    ------
    LowparamError
        If the archive does not exist, or is not the published one.
    """
    file = (cache("cifar") if path is None else Path(path).expanduser()) / archive
    if path is not None and not file.exists():
        raise LowparamError(f"{file} does not exist; fetch {SITE}/{archive} and put it there")
    fetch([f"{SITE}/{archive}"], file, checksum)
    verify(file, checksum)
    with tarfile.open(file) as members:
        contents = {
            Path(member.name).name: file.read()
            for member in members
            if (file := members.extractfile(member)) is not None
        }
    splits = {
        split: _images(b"".join(contents[name] for name in files), label_bytes)
        for split, files in (("train", train), ("test", test))
    }
    return splits, contents[names].decode().split()


def _images(content: bytes, label_bytes: int) -> Images:
    rows = np.frombuffer(content, np.uint8).reshape(-1, label_bytes + 3 * 32 * 32)
    pixels = torch.from_numpy(rows[:, label_bytes:].reshape(-1, 3, 32, 32).copy())
    return Images(pixels, torch.from_numpy(rows[:, label_bytes - 1].astype(np.int64)))
