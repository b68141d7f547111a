"""Custom images: one folder per class, with or without a split (docs/data.md)."""

from pathlib import Path

from lowparam.data import Files
from lowparam.data.folder import list_splits
from lowparam.data.ranges import check_ranges
from lowparam.errors import LowparamError
from lowparam.files import content_sha256
from lowparam.image_files import contents_sha256
from lowparam.params import Data

__all__ = ["CITATION", "IDENTIFIED_BY", "LICENCE", "OPTIONS", "files", "read", "root", "shape"]

CITATION = LICENCE = "not stated"
OPTIONS = ("path", "size", "channels", "stream", "skip_bad", "value_range", "allow_copies", "licence", "citation")

IDENTIFIED_BY = "contents"


def root(name: str, data: Data) -> Path:
    """Return the folder of the images.

    Raises
    ------
    LowparamError
        If params.yaml does not name it.
    """
    if data.path is None:
        raise LowparamError(f"params.yaml: data.{name}.path is missing; set it to the folder of the images")
    return Path(data.path).expanduser()


def shape(name: str, data: Data) -> dict[str, int]:
    """Return the number of classes, channels and pixels."""
    if data.size is None:
        raise LowparamError(f"params.yaml: data.{name}.size is missing; set it to a height in pixels, such as 32")
    _, classes = list_splits(root(name, data), f"data.{name}.path")
    return {"classes": len(classes), "in_channels": data.channels, "size": data.size}


def files(name: str, data: Data) -> dict[str, str]:
    """Return hashes of the contents of all images, unless they are too large for that, and of ``path``.

    Of the path there is a hash, because no path of this machine is in versioned files.
    """
    contents = contents_sha256(root(name, data))
    return {"path_sha256": content_sha256(data.path)} | ({} if contents is None else {"contents_sha256": contents})


def read(name: str, data: Data) -> tuple[dict[str, Files], list[str]]:
    """Return the files and the names of the classes, which are those of the folders."""
    splits, classes = list_splits(root(name, data), f"data.{name}.path")
    check_ranges(list(splits.values()), f"data.{name}", data.value_range)
    return splits, classes
