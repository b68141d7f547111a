"""Download files once into a cache, resume interrupted downloads, and verify checksums."""

import hashlib
import os
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlparse

import requests
from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from lowparam.errors import LowparamError

__all__ = ["cache", "fetch", "verify"]

PATIENCE = 4.0  # seconds to wait for an answer, over all addresses
SILENCE = 30.0  # seconds without a byte after which a server is given up
BLOCK = 1 << 16  # bytes written at once
COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    DownloadColumn(),
    TransferSpeedColumn(),
    TimeRemainingColumn(),
)


def cache(name: str) -> Path:
    """Return the cache folder of a source: below $LOWPARAM_DATA if set, else below ~/.cache/lowparam."""
    return Path(os.environ.get("LOWPARAM_DATA") or "~/.cache/lowparam").expanduser() / name


def fetch(urls: list[str], path: Path, checksum: str | None) -> None:
    """Download a file to `path` from the first address that provides it, unless it exists.

    An interrupted download stays next to `path` as ``.part``, and the next call requests the rest.

    Parameters
    ----------
    urls : list of str
        Where the file is published, best first.
    path : Path
        Where to put it; an existing file is kept.
    checksum : str or None
        ``sha256:<digits>`` or, if nothing better is published, ``md5:<digits>``; None if the caller verifies the
        content, because servers pack the file anew.

    Raises
    ------
    LowparamError
        If no address provides the file; the message names the file to fetch and where to put it.
    """
    part = path.with_name(f"{path.name}.part")
    reasons = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock")):
            for url in urls if not path.exists() else []:
                try:
                    _receive(url, part, PATIENCE / len(urls))
                    if checksum is not None:
                        verify(part, checksum)
                    part.replace(path)
                    return
                except requests.RequestException as error:
                    reasons.append(f"{urlparse(url).netloc}: {' '.join(str(error).split())}")
                except LowparamError as error:
                    part.unlink(missing_ok=True)
                    reasons.append(f"{urlparse(url).netloc}: {error}")
    except OSError as error:
        raise LowparamError(f"cannot write {path}: {error.strerror or error}") from error
    if reasons:
        raise LowparamError(
            f"cannot download {path.name} ({'; '.join(reasons)}); fetch {urls[0]} and put it into {path.parent}"
        )


def _receive(url: str, part: Path, patience: float) -> None:
    """Append the missing rest of the file to `part`."""
    start = part.stat().st_size if part.exists() else 0
    answer = _ask(url, start, patience)
    with answer:
        if answer.status_code == requests.codes.range_not_satisfiable:
            return  # already complete
        answer.raise_for_status()
        resumes = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        start = start if resumes else 0
        length = answer.headers.get("Content-Length")
        console = Console(stderr=True)
        progress = Progress(*COLUMNS, console=console, disable=not console.is_terminal)
        with part.open("ab" if resumes else "wb") as file, progress:
            task = progress.add_task(
                urlparse(url).path.rpartition("/")[2], total=start + int(length) if length else None, completed=start
            )
            for block in answer.iter_content(BLOCK):
                file.write(block)
                progress.advance(task, len(block))


def _ask(url: str, start: int, patience: float) -> requests.Response:
    """Request a file from a given byte on, with a limit on the time until the answer.

    In a thread, because name resolution and attempts at several addresses have no common time limit.
    """
    # "identity", because a download that the server compresses could not be resumed.
    headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"} if start else {"Accept-Encoding": "identity"}
    answers: SimpleQueue = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(requests.get(url, headers=headers, stream=True, timeout=(patience, SILENCE)))
        except requests.RequestException as error:
            answers.put(error)

    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=patience)
    except Empty:
        raise requests.Timeout(f"no answer within {patience:g} s") from None
    if isinstance(answer, requests.ConnectionError):
        raise requests.ConnectionError("no connection") from answer
    if isinstance(answer, requests.RequestException):
        raise answer
    return answer


def verify(path: Path, checksum: str) -> None:
    """Compare a file with a checksum, in the format of `fetch`.

    Raises
    ------
    LowparamError
        If the file differs, or cannot be read.
    """
    algorithm, _, wanted = checksum.partition(":")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise LowparamError(f"cannot read {path}: {error.strerror}") from error
    if found != wanted:
        raise LowparamError(f"{path} is not the file that was published: its {algorithm} is {found}, not {wanted}")
