"""List the images of a folder, and decode them into arrays.

class/name.jpg                  without a split
train/class/name.jpg, val/…     with a split; accuracy is reported on test/… if present, else on val/…
"""

import hashlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import track
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from lowparam.data import Files, Images
from lowparam.data.decode import decode
from lowparam.errors import LowparamError
from lowparam.files import atomic

__all__ = ["decode_all", "discard", "list_splits"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
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
        If there is no such folder, a class has no images, splits are missing or have different classes, or a name
        is not UTF-8.
    """
    if not root.is_dir():
        raise LowparamError(f"{key}: {root} is not a folder; it should have a folder of images for each class")
    names = {"train": root / "train", "val": root / "val", "test": root / "test"}
    given = {split: folder for split, folder in names.items() if folder.is_dir() and _folders(folder)}
    if "train" in given:
        _check_division(root, given, key)
    if "train" not in given or len(given) == 1:
        files, classes = _list_split(root, root, key)
        return {"all": files}, classes
    found = {split: _list_split(root, folder, key) for split, folder in given.items()}
    classes = found["train"][1]
    for split, (_, theirs) in found.items():
        for name in sorted(set(classes) ^ set(theirs)):
            where = split if name in classes else "train"
            raise LowparamError(f"{key}: {root / where} has no class {name!r}, but another split has")
    if "test" not in found:
        found = {"train": found["train"], "test": found["val"]}
    read_as = {"train": "train", "val": "validation", "test": "test"}
    return {read_as[split]: files for split, (files, _) in found.items()}, classes


def _folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def _images(folder: Path) -> list[str]:
    return [entry.name for entry in os.scandir(folder) if _is_image(entry.name)]


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")


def _list_split(root: Path, folder: Path, key: str) -> tuple[Files, list[str]]:
    classes = _folders(folder)
    if not classes:
        raise LowparamError(f"{key}: {folder} has no folders; each class needs one, with its images")
    _check_names(classes, folder, key)
    names, labels = [], []
    for label, name in enumerate(classes):
        images = [
            os.path.join(os.path.relpath(path, root), file)
            for path, files in _walk(folder / name, {os.path.realpath(root), os.path.realpath(folder)})
            for file in files
            if _is_image(file)
        ]
        if not images:
            raise LowparamError(f"{key}: {folder / name} has no images; delete the folder or put images into it")
        names += sorted(images)
        labels += [label] * len(images)
    _check_names(names, root, key)
    return Files(root, np.array([os.fsencode(name) for name in names]), torch.tensor(labels)), classes


def _check_division(root: Path, given: dict[str, Path], key: str) -> None:
    """Refuse splits that would be read as classes called train and validation, or of which one would be ignored."""
    train = root / "train"
    if len(given) == 1 and (_images(train) or not any(_images(train / name) for name in _folders(train))):
        return  # a class called train
    for other in ("validation", "valid"):
        if (root / other).is_dir():
            raise LowparamError(f"{key}: {root / other} is not read as a split; rename it to val")
    if len(given) == 1:
        raise LowparamError(
            f"{key}: {train} has folders of images, but there is no val or test next to it; add one, or set "
            f"{key} to {train}"
        )


def _check_names(names: list[str], folder: Path, key: str) -> None:
    """Refuse names that are not UTF-8, before all images are decoded and the manifest cannot list them."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise LowparamError(f"{key}: {folder}: the name {os.fsencode(name)!r} is not UTF-8; rename it") from error


def _walk(folder: Path, seen: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the subfolders of a folder with their files, each once, because links may form a cycle."""
    for path, folders, files in os.walk(folder, followlinks=True):
        folders.sort()  # which of two paths to a folder is taken must not depend on the disk
        if (real := os.path.realpath(path)) in seen:
            folders.clear()
        else:
            seen.add(real)
            yield path, files


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
                f"{key}: {len(bad)} bad files, listed above with reasons ({names}); fix or delete them{otherwise}"
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
