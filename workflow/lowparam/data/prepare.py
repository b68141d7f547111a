"""From a source to the stored arrays of a data set."""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from sklearn.model_selection import train_test_split

from lowparam.data import Images, save, sources
from lowparam.errors import LowparamError
from lowparam.params import Data, Split

__all__ = ["prepare"]


def prepare(name: str, data: Data, folder: Path) -> None:
    """Read the source of a data set, divide it where it is not divided yet, and store it in `folder`.

    Raises
    ------
    LowparamError
        If there is no such source, or the split does not fit the source.
    """
    source = find_source(name, data)
    parts, classes = source.read()
    if "all" in parts:
        if data.split is None:
            raise LowparamError(f"data.{name}.split is missing: {data.source} has no official split")
        parts = divide(parts["all"], data.split)
    elif data.split is not None:
        raise LowparamError(f"data.{name}.split must go: {data.source} has an official split")
    save(
        folder,
        parts,
        classes,
        name=name,
        source=data.source,
        split=data.split.model_dump() if data.split else "official",
        citation=source.CITATION,
        licence=source.LICENCE,
    )


def find_source(name: str, data: Data) -> ModuleType:
    """Return the module that reads a data set.

    Raises
    ------
    LowparamError
        If there is no such source; the message lists those that exist.
    """
    known = [module.name for module in pkgutil.iter_modules(sources.__path__)]
    if data.source not in known:
        raise LowparamError(
            f"params.yaml: data.{name}.source: {data.source!r} is unknown; known are {', '.join(known)}"
        )
    return importlib.import_module(f"{sources.__name__}.{data.source}")


def divide(images: Images, split: Split) -> dict[str, Images]:
    """Divide images into train, validation and test, each with the classes in the same shares."""
    index, labels = range(len(images)), images.labels.numpy()
    rest, test = train_test_split(index, test_size=split.test, stratify=labels, random_state=split.seed)
    train, validation = train_test_split(
        rest,
        test_size=split.validation / (split.train + split.validation),
        stratify=labels[rest],
        random_state=split.seed,
    )
    chosen = {"train": sorted(train), "validation": sorted(validation), "test": sorted(test)}
    return {name: Images(images.pixels[rows], images.labels[rows]) for name, rows in chosen.items()}
