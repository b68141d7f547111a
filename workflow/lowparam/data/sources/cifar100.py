"""CIFAR-100: 60,000 colour images of 32x32 pixels in 100 classes."""

from lowparam.data import Images
from lowparam.data.cifar import read_archive
from lowparam.data.sources.cifar10 import CITATION, LICENCE, OPTIONS
from lowparam.params import Data

__all__ = ["CITATION", "FILES", "LICENCE", "OPTIONS", "read", "shape"]

ARCHIVE = "cifar-100-binary.tar.gz"
FILES = {ARCHIVE: "md5:03b5dce01913d631647c71ecec9e9cb8"}


def shape(name: str, data: Data) -> dict[str, int]:
    """Return the number of classes, channels and pixels."""
    return {"classes": 100, "in_channels": 3, "size": 32}


def read(name: str, data: Data) -> tuple[dict[str, Images], list[str]]:
    """Return 50,000 training and 10,000 test images with their fine labels."""
    return read_archive(
        ARCHIVE,
        FILES[ARCHIVE],
        data.path,
        train=["train.bin"],
        test=["test.bin"],
        names="fine_label_names.txt",
        label_bytes=2,
    )
