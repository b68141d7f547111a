"""Remove what a killed Snakemake left: its lock, so that starting again needs no `--unlock`, and unfinished files.

Snakemake cannot tell a lock that is in use from one that a kill or a power cut left behind. Here it is left behind if
it was set on this machine and no other Snakemake runs in this folder, or may run there as another user.
"""

import socket
import sys
from pathlib import Path

import psutil

from lowparam import paths
from lowparam.files import remove_unfinished

__all__ = ["clear", "is_used"]

LOCKS = Path(".snakemake/locks")
HOST = Path(".snakemake/host")  # the machine that the locks are of


def clear() -> None:
    """Remove what a killed Snakemake left; called at every start of the workflow."""
    locks = [*LOCKS.glob("*.lock")]
    here = socket.gethostname()
    if not locks:
        HOST.parent.mkdir(exist_ok=True)
        HOST.write_text(here, encoding="utf-8")
    elif HOST.exists() and HOST.read_text(encoding="utf-8") == here and not is_running():
        for lock in locks:
            lock.unlink(missing_ok=True)
        remove_unfinished(paths.RESULTS)
        print("removed the lock of a snakemake that was killed", file=sys.stderr)


def is_used() -> bool:
    """Whether another Snakemake has locked this folder and certainly works in it."""
    return any(LOCKS.glob("*.lock")) and is_running(if_unknown=False)


def is_running(*, if_unknown: bool = True) -> bool:
    """Whether another Snakemake works in this folder; `if_unknown` is the answer for one that does not tell where."""
    mine = {process.pid for process in [psutil.Process(), *psutil.Process().parents()]}
    for process in psutil.process_iter():
        try:
            started_as = {Path(word).name for word in process.cmdline()[:3]}
            if process.pid not in mine and "snakemake" in started_as and works_here(process, if_unknown=if_unknown):
                return True
        except psutil.Error:  # it ended, or does not tell what it is
            continue
    return False


def works_here(process: psutil.Process, *, if_unknown: bool) -> bool:
    """Whether a process works in this folder; one of another user does not tell."""
    try:
        return Path(process.cwd()) == Path.cwd()
    except psutil.AccessDenied:
        return if_unknown
