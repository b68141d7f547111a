"""List the images of a folder, and decode them into arrays.

class/name.jpg                  without a split
train/class/name.jpg, val/…     with a split; accuracy is reported on test/… if present, else on val/…

`division.py` tells the two apart, `lowparam.image_files` which files are images.
"""

import hashlib
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import track
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from lowparam import image_files
from lowparam.data import SPLITS, Files, Images
from lowparam.data.decode import decode
from lowparam.data.division import check_classes, check_same_classes, find_splits, similar_folder
from lowparam.errors import LowparamError
from lowparam.files import atomic
from lowparam.image_files import folders, is_image, walk

__all__ = ["decode_all", "discard", "left_aside", "list_splits"]

NAMED = 20  # files that are left aside whose names the manifest has
CHUNK = 250  # images between two points from which an interrupted job resumes


def list_splits(root: Path, key: str) -> tuple[dict[str, Files], list[str]]:
    """Find the images below a folder, without opening any.

    Parameters
    ----------
    root : Path
        The folder.
    key : str
        The key in params.yaml that names it, for messages.

    Returns
    -------
    splits : dict of Files
        ``all``; or ``train`` and ``test``; or ``train``, ``validation`` and ``test``.
    classes : list of str
        Names of the folders, sorted.

    Raises
    ------
    LowparamError
        If there is no such folder, a class has no images, splits are missing or have different classes, folders are
        neither clearly classes nor clearly splits (`lowparam.data.division`), or a name is not UTF-8.
    """
    if not root.is_dir():
        raise LowparamError(f"{key}: {root} is not a folder; {_advice(root)}")
    splits = find_splits(root, key)
    if not splits:
        files, classes = _list_split(root, root, key)
        return {"all": files}, classes
    found = {split: _list_split(root, root / splits[split], key) for split in SPLITS if split in splits}
    check_same_classes(root, {splits[split]: classes for split, (_, classes) in found.items()}, key)
    classes = found["train"][1]
    if "test" not in found:
        found = {"train": found["train"], "test": found["validation"]}
    return {split: files for split, (files, _) in found.items()}, classes


def _advice(root: Path) -> str:
    """Say what to do about a folder that is not there."""
    if (like := similar_folder(root)) is not None:
        return f"there is {like.name!a}, the same letters in another form of Unicode than {root.name!a}"
    if not root.is_absolute() and ".dvc" in Path.cwd().parts:
        return "this is a copy by dvc exp run without the files that git ignores; set an absolute path"
    return "it should have a folder of images for each class"


def _list_split(root: Path, folder: Path, key: str) -> tuple[Files, list[str]]:
    classes = folders(folder)
    _check_names(classes, folder, key)
    check_classes(folder, classes, key)
    names, labels = [], []
    for label, name in enumerate(classes):
        files = [
            os.path.join(path, file)
            for path, inside in walk(folder / name, {os.path.realpath(root), os.path.realpath(folder)})
            for file in inside
        ]
        images = sorted(os.path.relpath(file, root) for file in files if is_image(file))
        if not images:
            raise LowparamError(
                f"{key}: {folder / name} has no images; take the folder out or put images into it{_other_files(files)}"
            )
        names += images
        labels += [label] * len(images)
    _check_names(names, root, key)
    return Files(root, np.array([os.fsencode(name) for name in names]), torch.tensor(labels)), classes


def _other_files(files: list[str]) -> str:
    if not files:
        return ""
    suffixes = ", ".join(sorted({os.path.splitext(file)[1].lower() for file in files})[:5])
    return f" (Pillow decodes none of the {len(files)} files in it: {suffixes})"


def _check_names(names: list[str], folder: Path, key: str) -> None:
    """Refuse names that are not UTF-8, before all images are decoded and the manifest cannot list them."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise LowparamError(f"{key}: {folder}: the name {os.fsencode(name)!r} is not UTF-8; rename it") from error


def left_aside(name: str, splits: dict[str, Any]) -> dict[str, Any] | None:
    """Count, name and print the files below a folder of images that are not read.

    Returns
    -------
    dict or None
        ``count``, ``suffixes`` (how many files of each), the first ``names``, and ``folders`` of operating systems and
        storage. None if the images are no files.
    """
    files = [split for split in splits.values() if isinstance(split, Files)]
    if not files:
        return None
    others = image_files.others(files[0].root, {os.fsdecode(file) for split in files for file in split.names.tolist()})
    names = [os.fsencode(file).decode(errors="backslashreplace") for file in others["files"]]
    if names:
        print(f"data.{name}: {len(names)} files are not read: {_some(names)}", flush=True)
    if others["folders"]:
        print(f"data.{name}: hidden and service folders are not read: {_some(others['folders'])}", flush=True)
    suffixes = Counter(os.path.splitext(file)[1].lower() for file in names)
    named = {"names": names[:NAMED], "folders": others["folders"][:NAMED]}
    return {"count": len(names), "suffixes": dict(sorted(suffixes.items())), **named}


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def decode_all(
    splits: dict[str, Files],
    size: int,
    channels: int,
    *,
    work: Path,
    skip_bad: bool,
    key: str,
    value_range: Sequence[float] | None = None,
    may_skip: bool = True,
) -> tuple[dict[str, Images], list[str]]:
    """Decode, scale and crop all images on all cores; if interrupted, the same call resumes.

    Parameters
    ----------
    splits : dict of Files
        The files of each split.
    size, channels : int
        Height and width, and channels, of the result.
    work : Path
        Folder of unfinished work, until `discard` deletes it.
    skip_bad : bool
        Leave bad files out instead of raising an error.
    key : str
        The key of the data set in params.yaml, for messages.
    value_range : (float, float), optional
        The values that are black and white in images of more than 8 bits (`lowparam.data.decode`).
    may_skip : bool
        Whether the data set may have ``skip_bad``, for messages.

    Returns
    -------
    splits : dict of Images
        The same splits as arrays.
    left_out : list of str
        Names of bad files that were left out.

    Raises
    ------
    LowparamError
        If files cannot be decoded, or have the same content in two classes. Each is printed with the reason.
    """
    chunks = [(split, rows) for split in splits for rows in torch.arange(len(splits[split])).split(CHUNK)]
    finished = work / _identity(splits, size, channels, value_range)
    work.mkdir(parents=True, exist_ok=True)
    with _lock(work):
        jobs = (
            delayed(_decode_chunk)(
                splits[split].take(rows), size, channels, value_range, finished / f"{number:06}.safetensors"
            )
            for number, (split, rows) in enumerate(chunks)
        )
        cores = len(os.sched_getaffinity(0))
        # Threads, because PIL releases the interpreter lock while it decodes and scales.
        done = Parallel(n_jobs=cores, backend="threading", return_as="generator")(jobs)
        console = Console(stderr=True)
        done = list(track(done, key, len(chunks), console=console, disable=not console.is_terminal))
        bad = {name: reason for reasons, _ in done for name, reason in reasons.items()}
        bad |= _in_two_classes([found for _, contents in done for found in contents])
        for name, reason in sorted(bad.items()):
            print(f"{name}: {reason}", flush=True)
        if bad and not skip_bad:
            names = ", ".join(repr(name) for name in sorted(bad)[:3]) + (", …" if len(bad) > 3 else "")
            otherwise = f", or set {key}.skip_bad: true" if may_skip else ""
            raise LowparamError(
                f"{key}: {len(bad)} bad files, listed above with reasons ({names}); fix them or "
                f"take them out{otherwise}"
            )
        images = {
            split: _assemble(
                splits[split], [number for number, (p, _) in enumerate(chunks) if p == split], finished, bad
            )
            for split in splits
        }
    return images, sorted(bad)


def discard(work: Path) -> None:
    """Delete the work of `decode_all` after its result is stored, when no other process uses it."""
    if work.exists():
        with _lock(work):
            shutil.rmtree(work, ignore_errors=True)


def _lock(work: Path) -> FileLock:
    return FileLock(work.with_name(f"{work.name}.lock"))


def _identity(splits: dict[str, Files], size: int, channels: int, value_range: Sequence[float] | None) -> str:
    """Name the work by its input, so that changed files are read again."""
    about: list = [size, channels, value_range]
    for name, split in splits.items():
        about.append([name, [[str(split.names[index]), *_stat(split[index][0])] for index in range(len(split))]])
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def _stat(path: str) -> tuple[int, ...]:
    try:
        status = Path(path).stat()
    except OSError:  # such as a broken link; decoding lists it with the reason
        return ()
    return status.st_size, status.st_mtime_ns


def _decode_chunk(
    files: Files, size: int, channels: int, value_range: Sequence[float] | None, output: Path
) -> tuple[dict[str, str], list]:
    """Decode files into `output`; return the reasons for bad ones, and name, label and hash of the others."""
    if output.exists():
        with safe_open(output, "numpy") as stored:
            metadata = stored.metadata()
        if metadata.get("read") == "all":
            return json.loads(metadata["reasons"]), json.loads(metadata["contents"])
    pixels = np.zeros((len(files), channels, size, size), np.uint8)
    reasons, contents, read = {}, [], "all"
    for row in range(len(files)):
        path, label = files[row]
        name = os.path.relpath(path, files.root)
        try:
            content = Path(path).read_bytes()
            pixels[row] = decode(content, size, channels, value_range)
            contents.append([name, label, hashlib.sha256(content).hexdigest()])
        except OSError as error:  # may be temporary, so the next call reads these files again
            reasons[name], read = error.strerror or str(error), "some"
        except ValueError as error:
            reasons[name] = str(error)
    with atomic(output) as temporary:
        metadata = {"reasons": json.dumps(reasons), "contents": json.dumps(contents), "read": read}
        save_file({"pixels": pixels}, temporary, metadata)
    return reasons, contents


def _in_two_classes(contents: list) -> dict[str, str]:
    """Find files that have the same content and different labels."""
    same = defaultdict(list)
    for name, label, digest in contents:
        same[digest].append((name, label))
    return {
        name: "the same image is also in another class: " + next(other for other, its in found if its != label)
        for found in same.values()
        if len({label for _, label in found}) > 1
        for name, label in found
    }


def _assemble(files: Files, chunks: list[int], work: Path, bad: dict[str, str]) -> Images:
    """Concatenate the chunks of a split, without the bad files."""
    good = torch.tensor([os.fsdecode(name) not in bad for name in files.names])
    pixels, start = None, 0
    for chunk, keep in zip(chunks, good.split(CHUNK), strict=True):
        some = load_file(work / f"{chunk:06}.safetensors")["pixels"][keep.numpy()]
        if pixels is None:
            pixels = np.empty((int(good.sum()), *some.shape[1:]), np.uint8)
        pixels[start : start + len(some)] = some
        start += len(some)
    return Images(torch.from_numpy(pixels), files.labels[good])
