"""Custom images: one folder per class, with or without a split (docs/data.md)."""

from pathlib import Path

from lowparam.data import Files
from lowparam.data.folder import list_splits
from lowparam.errors import LowparamError
from lowparam.params import Data

__all__ = ["CITATION", "LICENCE", "OPTIONS", "read", "root", "shape"]

CITATION = LICENCE = "not stated"
OPTIONS = ("path", "size", "channels", "stream", "skip_bad", "value_range", "allow_copies", "licence", "citation")


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
    return {"classes": len(read(name, data)[1]), "in_channels": data.channels, "size": data.size}


def read(name: str, data: Data) -> tuple[dict[str, Files], list[str]]:
    """Return the files and the names of the classes, which are those of the folders."""
    return list_splits(root(name, data), f"data.{name}.path")
