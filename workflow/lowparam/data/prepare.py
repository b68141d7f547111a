"""Prepare a data set: read its source, split it, and store arrays or lists of files."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from lowparam import image_files, registry
from lowparam.data import Files, Images, channel_statistics, save, save_streamed
from lowparam.data.copies import count_copies
from lowparam.data.folder import decode_all, discard, left_aside
from lowparam.errors import LowparamError
from lowparam.params import Data, Split

__all__ = ["find_source", "prepare", "shape"]

WORK = Path(".lowparam/data")
SAMPLE = 1000  # training images for the mean and standard deviation of a streamed data set
OPTIONS = ("path", "size", "channels", "stream", "skip_bad", "value_range", "allow_copies", "licence", "citation")


def prepare(name: str, data: Data, folder: Path, *, identity: str | None = None) -> None:
    """Read the source of a data set, split it unless the source does, and store it in `folder`.

    The manifest keeps `identity` (`lowparam.prepared_data.identity`), by which the data set is recognised later.

    Raises
    ------
    LowparamError
        If there is no such source, it cannot be read, or the settings do not fit it.
    """
    source = find_source(name, data)
    splits, classes = source.read(name, data)
    aside = left_aside(name, splits)
    splits, classes = first_classes(splits, classes, data.classes)
    splits = divide(name, splits, data, classes)
    if data.train_per_class is not None:
        splits["train"] = splits["train"].take(limit_per_class(splits["train"].labels, data.train_per_class))
    manifest: dict[str, Any] = {
        "name": name,
        "identity": identity,
        "settings": data.spec(),
        "licence": data.licence or source.LICENCE,
        "citation": data.citation or source.CITATION,
        "source_files": source.files(name, data) if hasattr(source, "files") else getattr(source, "FILES", {}),
        "source_sha256": None if data.path is None else image_files.fingerprint(Path(data.path).expanduser()),
        "left_aside": aside,
    }
    may_be = data.allow_copies or "allow_copies" not in source.OPTIONS  # published splits are as they are
    refuse_empty(name, splits, classes, "image")
    if data.stream:
        refuse_missing(name, splits)
        manifest["copies"] = count_copies(name, splits, may_be=may_be)
        size = shape(name, data)["size"]
        mean, std = getattr(source, "MEAN_STD", None) or sample_statistics(name, splits["train"], data, size)
        save_streamed(folder, splits, classes, shape=[3, size, size], mean=mean, std=std, **manifest)
        discard(WORK / name)
        return
    given = splits
    if isinstance(splits["train"], Files):
        splits, manifest["left_out"] = decode_all(
            splits,
            shape(name, data)["size"],
            data.channels,
            work=WORK / name,
            skip_bad=data.skip_bad,
            key=f"data.{name}",
            value_range=data.value_range,
        )
    refuse_empty(name, splits, classes, "good image")
    good = {split: without(images, manifest.get("left_out", [])) for split, images in given.items()}
    manifest["copies"] = count_copies(name, good, may_be=may_be)
    save(folder, splits, classes, **manifest)
    discard(WORK / name)


def find_source(name: str, data: Data) -> ModuleType:
    """Return the module that reads a data set.

    Raises
    ------
    LowparamError
        If there is no such source (the message lists those that exist), or if it does not support an option.
    """
    known = registry.entries("data/sources")
    if data.source not in known:
        raise LowparamError(
            f"params.yaml: data.{name}.source: {data.source!r} is unknown; {registry.nearest(data.source, known)}"
        )
    source = registry.load("data/sources", data.source)
    for option in OPTIONS:
        if option in data.model_fields_set and option not in source.OPTIONS:
            raise LowparamError(f"params.yaml: data.{name}.{option} must go: it is not for {data.source}")
    return source


def shape(name: str, data: Data) -> dict[str, int]:
    """Return ``classes``, ``in_channels`` and ``size`` (height and width in pixels), without reading any image."""
    known = find_source(name, data).shape(name, data)
    return known | {"classes": min(known["classes"], data.classes or known["classes"])}


def first_classes(splits: dict[str, Any], classes: list[str], count: int | None) -> tuple[dict[str, Any], list[str]]:
    """Keep the images of the first `count` classes, or all if `count` is None."""
    if count is None or count >= len(classes):
        return splits, classes
    return {name: split.take((split.labels < count).nonzero()[:, 0]) for name, split in splits.items()}, classes[:count]


def divide(name: str, splits: dict[str, Any], data: Data, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Split the images of a source into train, validation and test, stratified by class.

    `classes` are the names of the classes, for messages.

    Raises
    ------
    LowparamError
        If the settings of the split do not fit the splits of the source.
    """
    division, key = data.split, f"data.{name}.split"
    if "validation" in splits:
        if division is not None:
            raise LowparamError(f"{key} must go: {data.source} has an official split")
        return splits
    if division is None:
        what = "test" if "all" in splits else "validation"
        raise LowparamError(f"{key} is missing: {data.source} has no official {what} split")
    if "all" in splits:
        if division.test is None:
            raise LowparamError(f"{key}.test is missing: {data.source} has no official test split")
        source, share = splits["all"], division.validation / (division.train + division.validation)
        rest, test = _two(range(len(source)), division.test, source, division, f"{key}.test", classes)
        test = source.take(torch.tensor(sorted(test)))
    else:
        if division.test is not None:
            raise LowparamError(f"{key}.test must go: {data.source} has an official test split")
        source, rest, share, test = splits["train"], range(len(splits["train"])), division.validation, splits["test"]
    two = _two(rest, share, source, division, f"{key}.validation", classes)
    train, validation = (source.take(torch.tensor(sorted(rows))) for rows in two)
    return {"train": train, "validation": validation, "test": test}


def _two(
    rows: Sequence[int], share: float, images: Images | Files, division: Split, key: str, classes: Sequence[str]
) -> list[list[int]]:
    """Divide rows of images into two lists, the second with a given share of each class."""
    labels = images.labels.numpy()[rows]
    known, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        label = int(known[counts.argmin()])
        raise LowparamError(
            f"{key}: the class {classes[label] if classes else label!r} has only one image to divide, and each split "
            "needs one; add images, or take the class out"
        )
    second = math.ceil(share * len(rows))
    for part, count in (("second", second), ("first", len(rows) - second)):
        if count < len(known):
            raise LowparamError(
                f"{key}: the {part} part of {len(rows)} images has {count}, fewer than the {len(known)} classes; "
                "change the shares or add images"
            )
    return train_test_split(rows, test_size=share, stratify=labels, random_state=division.seed)


def without(images: Images | Files, names: Sequence[str]) -> Images | Files:
    """Return images without those of some names; arrays have none."""
    if not names or isinstance(images, Images):
        return images
    return images.take(torch.from_numpy(~np.isin(images.names, [os.fsencode(name) for name in names])).nonzero()[:, 0])


def refuse_empty(name: str, splits: dict[str, Any], classes: Sequence[str], what: str) -> None:
    """Refuse classes without images to train or test on.

    Raises
    ------
    LowparamError
        For the first; it lacks `what`.
    """
    for split in ("train", "test"):
        missing = sorted(set(range(len(classes))) - set(splits[split].labels.tolist()))
        if missing:
            raise LowparamError(f"data.{name}: {split} has no {what} of the class {classes[missing[0]]!r}; add some")


def limit_per_class(labels: torch.Tensor, count: int) -> torch.Tensor:
    """Return the rows of at most `count` images of each class, always the same ones, in their original order."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    rows = [order[labels[order] == label][:count] for label in labels.unique()]
    return torch.cat(rows).sort().values


def refuse_missing(name: str, splits: dict[str, Files]) -> None:
    """Refuse broken links among files that are not opened before training.

    Raises
    ------
    LowparamError
        If there is one.
    """
    for split in splits.values():
        for row in range(len(split)):
            if not Path(path := split[row][0]).exists():
                raise LowparamError(
                    f"data.{name}: {path} is a link to a file that does not exist; fix it or take it out"
                )


def sample_statistics(name: str, files: Files, data: Data, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the mean and standard deviation per channel of a sample of images."""
    rows = torch.randperm(len(files), generator=torch.Generator().manual_seed(0))[:SAMPLE].sort().values
    sample = {"train": files.take(rows)}
    images, _ = decode_all(
        sample,
        size,
        3,
        work=WORK / name,
        skip_bad=False,
        key=f"data.{name}",
        value_range=data.value_range,
        may_skip=False,
    )
    return channel_statistics(images["train"].pixels)
