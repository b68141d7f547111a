"""Read a published collection of small files, unpacked or as an archive of any format, and verify all of it.

The hash of a collection is that of the lines that ``sha256sum`` prints for its files, sorted by name, so it depends
neither on the archive nor on the times of files, and anyone can compute it:

    find train test -name '*.jpg' | LC_ALL=C sort | xargs sha256sum | sha256sum

A single hash cannot tell which file differs. For that, the first two bytes of the hash of each file are in ``.sums``.
"""

import hashlib
import lzma
import os
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor

from lowparam.data.decode import to_array, upright
from lowparam.data.download import cache, fetch, verify
from lowparam.errors import LowparamError
from lowparam.image_files import below

__all__ = ["Collection", "Published", "decode_images", "digest", "find", "sums"]

SUM = 2  # bytes of each file's hash in .sums
CHUNK = 250  # images that a thread decodes at once
NEVER = 1 << 16  # pixels, more than a JPEG can have: none is decoded at a fraction of its size
IMAGES = (".jpg", ".jpeg")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
DAMAGED = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What the readers of archives raise for a file that is cut off or no archive."""


@dataclass(frozen=True)
class Published:
    """Where a collection is published, and what it is.

    Parameters
    ----------
    url : str
        Address of an archive.
    archive : str
        Name to store the archive under.
    checksum : str or None
        Checksum of the archive (`lowparam.data.download.fetch`); None where servers pack it anew.
    sha256 : str or None
        Hash of the names and contents, as above; None if not known.
    sums : Path or None
        File with the first two bytes of the hash of each file, sorted by name.
    """

    url: str
    archive: str
    checksum: str | None = None
    sha256: str | None = None
    sums: Path | None = None


@dataclass(frozen=True)
class Collection:
    """Files by name, wherever they are.

    Parameters
    ----------
    place : Path
        The folder or the archive, for messages.
    names : frozenset of str
        Names of all files, with ``/`` and without the folder that holds all of them.
    read : callable
        Yields name and content of the files of some names, in any order.
    """

    place: Path
    names: frozenset[str]
    read: Callable[[Iterable[str]], Iterator[tuple[str, bytes]]]

    def text(self, name: str) -> str:
        """Return the content of a text file.

        Raises
        ------
        LowparamError
            If it is missing or not UTF-8.
        """
        if name not in self.names:
            raise LowparamError(f"{self.place} has no {name}; fetch it again")
        ((_, content),) = self.read([name])
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise LowparamError(f"{self.place}: {name} is not text; fetch it again") from error

    def check_names(self, expected: list[str]) -> None:
        """Compare the names with those expected; images in the same folders that were not published count too.

        Raises
        ------
        LowparamError
            If files are missing, or there are others.
        """
        if missing := sorted(set(expected) - self.names):
            raise LowparamError(
                f"{self.place} is incomplete: it lacks {len(missing)} of {len(expected)} files, "
                f"{_some(missing)}; fetch it again"
            )
        tops = {_top(name) for name in expected if "/" in name}
        others = [name for name in sorted(self.names - set(expected)) if name.lower().endswith(IMAGES)]
        if others := [name for name in others if _top(name) in tops]:
            raise LowparamError(
                f"{self.place} has {len(others)} images that were not published, {_some(others)}; move them elsewhere"
            )

    def contents(self, names: list[str], published: Published) -> list[bytes]:
        """Read and verify files; return their contents in the order of `names`.

        Raises
        ------
        LowparamError
            If one differs from what was published; the message names it.
        """
        found = dict(self.read(names))
        if published.sha256 is not None and digest(found) != published.sha256:
            differing = _differing(found, published.sums)
            which = (
                f"{_some(differing)} differ{'s' if len(differing) == 1 else ''}" if differing else "its files differ"
            )
            raise LowparamError(f"{self.place} is not what was published: {which}; fetch it again")
        return [found[name] for name in names]


def find(published: Published, source: str, path: str | None, key: str, *, marker: str) -> Collection:
    """Find a collection below a folder, unpacked or as an archive; download it if no folder is given and none is there.

    Parameters
    ----------
    published : Published
        The collection.
    source : str
        Name of the folder in the cache.
    path : str or None
        Folder that the user names.
    key : str
        The key of the data set in params.yaml, for messages.
    marker : str
        Folder by which the collection is recognised.

    Raises
    ------
    LowparamError
        If there is nothing, or nothing readable.
    """
    folder = cache(source) if path is None else Path(path).expanduser()
    if (found := _unpacked(folder, marker)) is not None:
        return found
    archive = folder / published.archive
    others = sorted(each for each in folder.glob("*") if each.name.lower().endswith(ARCHIVES) and each != archive)
    if archive.exists():
        if published.checksum is not None:
            verify(archive, published.checksum)
    elif len(others) > 1:
        raise LowparamError(f"{folder} has several archives, {_some([each.name for each in others])}; keep one of them")
    elif others:
        archive = others[0]
    elif path is not None:
        raise LowparamError(
            f"{key}.path: {folder} has neither a folder {marker} nor an archive; fetch {published.url} and put it there"
        )
    else:
        fetch([published.url], archive, published.checksum)
    return _packed(archive, marker)


def digest(contents: dict[str, bytes]) -> str:
    """Return the SHA-256 of the names and contents of files, as described at the head of this module."""
    lines = (f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def sums(contents: dict[str, bytes]) -> bytes:
    """Return the first two bytes of the SHA-256 of each file, sorted by name."""
    return b"".join(hashlib.sha256(contents[name]).digest()[:SUM] for name in sorted(contents))


def decode_images(contents: list[bytes], names: list[str], size: int, place: Path) -> Tensor:
    """Decode colour images of one size on all cores, without scaling them; return uint8 of shape (N, 3, size, size).

    Raises
    ------
    LowparamError
        If one cannot be decoded, or has another size.
    """
    pixels = np.empty((len(contents), 3, size, size), np.uint8)

    def decode(rows: range) -> str | None:
        for row in rows:
            try:
                image = upright(contents[row], 3, least=NEVER)
            except ValueError as error:
                return f"{place}: {names[row]} is not a readable image ({error}); fetch it again"
            if image.size != (size, size):
                return f"{place}: {names[row]} has {image.width}×{image.height} pixels, not {size}×{size}"
            pixels[row] = to_array(image)
        return None

    chunks = [range(start, min(start + CHUNK, len(contents))) for start in range(0, len(contents), CHUNK)]
    # Threads, because PIL releases the interpreter lock while it decodes.
    parallel = Parallel(n_jobs=len(os.sched_getaffinity(0)), backend="threading")
    for problem in parallel(delayed(decode)(rows) for rows in chunks):
        if problem is not None:
            raise LowparamError(problem)
    return torch.from_numpy(pixels)


def _differing(contents: dict[str, bytes], known: Path | None) -> list[str]:
    """Return the names of files whose hash does not begin as the known one."""
    if known is None:
        return []
    ours, theirs = sums(contents), known.read_bytes()
    starts = range(0, len(ours), SUM)
    return [
        name
        for name, start in zip(sorted(contents), starts, strict=True)
        if ours[start : start + SUM] != theirs[start : start + SUM]
    ]


def _unpacked(folder: Path, marker: str) -> Collection | None:
    """Return the files of a folder, or of the first folder in it, that has the marker; None if none has."""
    inside = sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    root = next((each for each in [folder, *inside] if (each / marker).is_dir()), None)
    if root is None:
        return None

    def read(names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            try:
                yield name, (root / name).read_bytes()
            except OSError as error:
                raise LowparamError(f"cannot read {root / name}: {error.strerror or error}") from error

    return Collection(root, frozenset(name.replace(os.sep, "/") for name in below(root)), read)


def _packed(archive: Path, marker: str) -> Collection:
    """Return the files of an archive; names are relative to the folder in it that has the marker."""
    try:
        members = dict(_members(archive))
    except DAMAGED as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise LowparamError(
            f"{archive} is damaged ({why}); move it away and run lowparam prepare to fetch it"
        ) from error
    prefixes = sorted({"", *(f"{_top(name)}/" for name in members if "/" in name)})
    prefix = next((each for each in prefixes if any(name.startswith(f"{each}{marker}/") for name in members)), None)
    if prefix is None:
        raise LowparamError(f"{archive} has no folder {marker}; move it away and run lowparam prepare to fetch it")
    contents = {name.removeprefix(prefix): content for name, content in members.items() if name.startswith(prefix)}
    return Collection(archive, frozenset(contents), lambda names: ((name, contents[name]) for name in names))


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of all files of an archive in one pass, as it may be compressed as a whole."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                if not member.is_dir():
                    yield posixpath.normpath(member.filename), opened.read(member)
        return
    with tarfile.open(archive) as opened:
        for member in opened:
            if (file := opened.extractfile(member)) is not None:
                yield posixpath.normpath(member.name), file.read()


def _top(name: str) -> str:
    return name.partition("/")[0]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")
