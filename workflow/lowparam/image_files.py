"""Which files below a folder are images, and whether they are the ones that a data set was prepared from.

This module imports neither torch nor pandas, because the Snakefile asks it at every start.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageFile, UnidentifiedImageError

from lowparam import paths
from lowparam.errors import LowparamError
from lowparam.files import read_json, sha256, write_json
from lowparam.waiting import waiting

__all__ = [
    "contents_sha256",
    "fingerprint",
    "folders",
    "images",
    "is_image",
    "is_service",
    "keep_contents",
    "others",
    "walk",
]

SERVICE = {"__macosx", "#recycle", "#snapshot", "$recycle.bin", "lost+found", "system volume information"}
SERVICE |= {"__pycache__", "thumbs.db", "desktop.ini"}
"""What operating systems and storage put among files, in lower case."""

NOT_DECODED = {"EPS", "MPEG"}
"""Formats that Pillow opens and does not decode itself, besides those of its stubs."""

SAMPLE, HEAD = 64, 1 << 16
"""Files, and bytes of each, that `fingerprint` reads."""

MOST = 1 << 32
"""Bytes of the images of a folder that `contents_sha256` reads at most: 4 GiB."""


def is_service(name: str) -> bool:
    """Whether a file or folder is hidden, or there for an operating system or a storage: ``@eaDir`` is."""
    return name.startswith((".", "@")) or name.lower() in SERVICE


def folders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden and service folders."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not is_service(entry.name))


def images(folder: Path) -> list[str]:
    """Return the names of the images in a folder itself."""
    return [entry.name for entry in os.scandir(folder) if not entry.is_dir() and is_image(entry.path)]


def is_image(path: str | Path) -> bool:
    """Whether Pillow decodes files of such a name, or, of a file without a proper suffix, finds out that it does."""
    name = os.path.basename(path)
    if is_service(name):
        return False
    suffix = os.path.splitext(name)[1].lower()
    if suffix in _suffixes():
        return True
    # Such as "photo", "photo.2019" and "photo.jpg_large", but not raw files, which hold a small image for display.
    beginning = re.match(r"\.[a-z0-9]+", suffix)
    undecided = not re.search("[a-z]", suffix) or (beginning is not None and beginning[0] in _suffixes())
    return undecided and _has_signature(path)


@cache
def _suffixes() -> frozenset[str]:
    Image.init()
    return frozenset(suffix for suffix, form in Image.registered_extensions().items() if form in _decoded_formats())


@cache
def _decoded_formats() -> frozenset[str]:
    Image.init()
    stubs = {
        form
        for form, (opener, _) in Image.OPEN.items()
        if isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)
    }
    return frozenset(Image.OPEN) - stubs - NOT_DECODED


def _has_signature(path: str | Path) -> bool:
    """Whether a file begins as an image of a format that has a signature; Pillow guesses at the others."""
    signed = [form for form in sorted(_decoded_formats()) if Image.OPEN[form][1] is not None]
    try:
        with Image.open(path, formats=signed):
            return True
    except (UnidentifiedImageError, OSError):
        return False
    except Exception:  # an image that Pillow does not like, which decoding will name
        return True


def walk(folder: Path, seen: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield a folder and its subfolders with their files, each once, because links may form a cycle.

    Hidden and service folders and files are left out; `seen` has the real paths of folders not to enter.
    """
    for path, inside, files in os.walk(folder, followlinks=True):
        inside[:] = sorted(name for name in inside if not is_service(name))  # the order must not depend on the disk
        if (real := os.path.realpath(path)) in seen:
            inside.clear()
        else:
            seen.add(real)
            yield path, [file for file in files if not is_service(file)]


def below(root: Path) -> list[str]:
    """Return the names of all files below a folder, relative to it, sorted, without hidden and service files."""
    return sorted(
        os.path.relpath(os.path.join(path, file), root) for path, files in walk(root, set()) for file in files
    )


def others(root: Path, taken: set[str]) -> dict[str, list[str]]:
    """Return the files below a folder that are not `taken`, and its service folders.

    Returns
    -------
    dict
        ``files`` and ``folders``, names relative to `root`, sorted.
    """
    services = (
        os.path.relpath(os.path.join(path, entry.name), root)
        for path, _ in walk(root, set())
        for entry in os.scandir(path)
        if entry.is_dir() and is_service(entry.name)
    )
    return {"files": [name for name in below(root) if name not in taken], "folders": sorted(services)}


def fingerprint(folder: Path) -> str | None:
    """Identify the images below a folder, wherever the folder is; if there are none, all files.

    The names and sizes of all of them count, and the first bytes of some.

    Returns
    -------
    str or None
        A sha256 in hexadecimal; None if there is no such folder here, as in a clone of the results.
    """
    if not folder.is_dir():
        return None
    names = below(folder)
    names = [name for name in names if is_image(folder / name)] or names
    listed = [[os.fsencode(name).hex(), _size(folder / name)] for name in names]
    found = hashlib.sha256(json.dumps(listed).encode())
    for name in names[:: max(1, len(names) // SAMPLE)]:
        found.update(_head(folder / name))
    return found.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # such as a broken link
        return -1


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(HEAD)).digest()
    except OSError:
        return b""


def contents_sha256(folder: Path) -> str | None:
    """Hash the names and all bytes of the images below a folder.

    A file that has been as it is since `keep_contents`, or since this process read it, is not read again.

    Returns
    -------
    str or None
        None if there is no such folder here, or its images have more than `MOST` bytes.
    """
    known = _contents(folder)
    if known is None:
        return None
    listed = [[name, digest] for name, (_, digest) in known.items()]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def keep_contents(folder: Path) -> None:
    """Keep the hashes of the images below a folder for later processes."""
    known = _contents(folder)
    if known is not None and known != _kept(folder):
        write_json(_kept_in(folder), known)


_READ: dict[Path, dict[str, Any]] = {}
"""What this process found in `_contents`, by folder."""


def _contents(folder: Path) -> dict[str, Any] | None:
    """Return the state and the hash of each image, by its name in hexadecimal."""
    folder = folder.absolute()
    if not folder.is_dir():
        return None
    names = [name for name in below(folder) if is_image(folder / name)]
    if sum(_size(folder / name) for name in names) > MOST:
        return None
    before = _READ.get(folder) or _kept(folder)

    def look(name: str) -> list[Any]:
        state, known = _state(folder / name), before.get(os.fsencode(name).hex())
        return known if known and known[0] == state else [state, _sha256(folder / name)]

    known = {}
    with (
        waiting(f"reading the images in {folder}", len(names)) as done,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads,
    ):
        for name, about in zip(names, threads.map(look, names), strict=True):
            known[os.fsencode(name).hex()] = about
            done()
    _READ[folder] = known
    return known


def _kept_in(folder: Path) -> Path:
    return paths.source_hashes(hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16])


def _kept(folder: Path) -> dict[str, Any]:
    try:
        return read_json(_kept_in(folder))
    except LowparamError:  # none, or half of one
        return {}


def _state(path: Path) -> list[int]:
    """Return what differs after a file was written or replaced; nothing if there is none."""
    try:
        about = path.stat()
    except OSError:
        return []
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]


def _sha256(path: Path) -> str:
    try:
        return sha256(path)
    except OSError:  # such as a broken link
        return ""
