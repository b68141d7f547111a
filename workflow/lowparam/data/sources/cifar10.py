"""CIFAR-10: 60,000 colour images of 32x32 pixels in ten classes of animals and vehicles."""

from lowparam.data import Images
from lowparam.data.cifar import read_archive
from lowparam.params import Data

__all__ = ["CITATION", "FILES", "LICENCE", "OPTIONS", "read", "shape"]

CITATION = "Krizhevsky, A. (2009). Learning Multiple Layers of Features from Tiny Images. University of Toronto"
LICENCE = "none stated; the authors ask to cite their report"
OPTIONS = ("path",)
ARCHIVE = "cifar-10-binary.tar.gz"
FILES = {ARCHIVE: "md5:c32a1d4ab5d03f1284b67883e8d87530"}


def shape(name: str, data: Data) -> dict[str, int]:
    """Return the number of classes, channels and pixels."""
    return {"classes": 10, "in_channels": 3, "size": 32}


def read(name: str, data: Data) -> tuple[dict[str, Images], list[str]]:
    """Return 50,000 training and 10,000 test images."""
    return read_archive(
        ARCHIVE,
        FILES[ARCHIVE],
        data.path,
        train=[f"data_batch_{number}.bin" for number in range(1, 6)],
        test=["test_batch.bin"],
        names="batches.meta.txt",
        label_bytes=1,
    )
