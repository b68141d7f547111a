"""Find images that are in more than one split: a network is then tested on what it was trained on."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from lowparam.data.dataset import Files, Images
from lowparam.errors import LowparamError

__all__ = ["copies_across_splits", "count_copies"]

NAMED = 20  # images of which the manifest has the names
HEAD = 4096  # bytes that tell most files of the same size apart


def count_copies(name: str, splits: Mapping[str, Images | Files], *, may_be: bool) -> dict[str, Any]:
    """Count and print the images of a data set that are in more than one split.

    Returns
    -------
    dict
        ``count``, and the places of the first in ``images``.

    Raises
    ------
    LowparamError
        If there are any, unless they `may_be`.
    """
    groups = copies_across_splits(splits)
    if groups:
        which = f"{len(groups)} images are in more than one split, such as {' and '.join(groups[0][:3])}"
        if not may_be:
            raise LowparamError(f"data.{name}: {which}; take the copies out, or set data.{name}.allow_copies: true")
        print(f"data.{name}: {which}", flush=True)
    return {"count": len(groups), "images": groups[:NAMED]}


def copies_across_splits(splits: Mapping[str, Images | Files]) -> list[list[str]]:
    """Return groups of the same image in several splits, each as ``split: name``, sorted.

    Files are the same if all their bytes are: those of one size are compared, first by their beginning. Of arrays, all
    pixels are compared, and names are places in the split.
    """
    found = [(split, row) for split, images in splits.items() for row in range(len(images))]
    if isinstance(next(iter(splits.values())), Images):
        keys = [splits[split].pixels[row].numpy().tobytes() for split, row in found]
        groups = _groups_across_splits(found, (hashlib.sha256(key).digest() for key in keys))
    else:
        groups = [found]
        for look in (_size, _head, _content):
            groups = [
                smaller
                for group in groups
                for smaller in _groups_across_splits(group, _all(look, [splits[split][row][0] for split, row in group]))
            ]
    return sorted(sorted(f"{split}: {_name(splits[split], row)}" for split, row in group) for group in groups)


def _groups_across_splits(images: list[tuple[str, int]], keys: Iterable[Hashable]) -> list[list[tuple[str, int]]]:
    """Group images by a key; keep the groups that are in more than one split."""
    groups = defaultdict(list)
    for image, key in zip(images, keys, strict=True):
        if key is not None:
            groups[key].append(image)
    return [group for group in groups.values() if len({split for split, _ in group}) > 1]


def _all(look: Callable[[str], Hashable], paths: list[str]) -> list[Hashable]:
    if look is _size or len(paths) < 100:
        return [look(path) for path in paths]
    return Parallel(n_jobs=len(os.sched_getaffinity(0)), backend="threading")(delayed(look)(path) for path in paths)


def _size(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:  # is named elsewhere
        return None


def _head(path: str) -> bytes | None:
    try:
        with Path(path).open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return None


def _content(path: str) -> bytes | None:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None


def _name(images: Images | Files, row: int) -> str:
    return os.fsdecode(images.names[row]) if isinstance(images, Files) else f"image {row}"
