"""Delete results that nothing in params.yaml requires any more.

Snakemake tells which files of an experiment none of its jobs makes or reads. The folder of an experiment or a data set
that params.yaml no longer names is listed as one, if the workflow made it and not you. What DVC recorded can be had
again: `git checkout` and `dvc checkout`.
"""

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

from lowparam import paths, studies
from lowparam.engine import dvc_files
from lowparam.errors import LowparamError, last_line
from lowparam.params import Params
from lowparam.waiting import waiting

__all__ = ["delete", "prune", "unnamed"]

NOT_EXPERIMENTS = {"data", *studies.names()}
# What tells the folder of an experiment, or of a data set, from one that somebody put there.
MADE = ("tuning/*.json", "runs/*/seed*", "profiles/*/seed*", "deployment/*/seed*")
MADE += ("baseline.json", "runs.csv", "records/*.json")
PREPARED = ("images.safetensors", "files.json", "manifest.json")
NOT_JOBS = {"benchmarks", "records", "dvc.yaml", "dvc.lock"}  # of an experiment, and not in Snakemake's list


def prune(params: Params, *, yes: bool) -> None:
    """List results that nothing requires any more, and delete them if the user agrees or `yes` is set."""
    found = unnamed(params)
    if not found:
        print("params.yaml requires every result")
        return
    for folder, files in found.items():
        print(f"{folder}: {len(files)} files, {sum(file.stat().st_size for file in files) / 2**20:,.1f} MB")
    if yes or agrees():
        delete(found)
        dvc_files.forget(params, [file for files in found.values() for file in files])
        print("deleted; dvc repro records it")
    else:
        print("nothing deleted")


def agrees() -> bool:
    try:
        return input("Delete all of these? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):  # nobody is there to answer, or Ctrl-C
        print()
        return False


def unnamed(params: Params) -> dict[Path, list[Path]]:
    """Return the files that nothing asks for, by the folder that a reader would name.

    Raises
    ------
    LowparamError
        If Snakemake cannot say.
    """
    found = defaultdict(list)
    folders = sorted(path for path in paths.RESULTS.glob("*") if path.is_dir() and path.name not in NOT_EXPERIMENTS)
    data = sorted(path for path in paths.DATA.glob("*") if path.is_dir() and path.name not in params.data)
    gone = [folder for folder in data if has(folder, PREPARED)]
    gone += [folder for folder in folders if folder.name not in params.experiments and has(folder, MADE)]
    for folder in gone:
        found[folder] = [file for file in folder.rglob("*") if file.is_file()]
    if known := [folder.name for folder in folders if folder.name in params.experiments]:
        for file in untracked(known):
            if file.parts[0] == paths.RESULTS.name and file.parts[1] in known and file.parts[2] not in NOT_JOBS:
                found[file.parent if len(file.parts) > 4 else file].append(file)
    return dict(found)


def has(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(next(folder.glob(pattern), None) for pattern in patterns)


def untracked(experiments: list[str]) -> list[Path]:
    """Ask Snakemake for the files that none of its jobs makes or reads.

    Raises
    ------
    LowparamError
        If it cannot say.
    """
    with waiting("asking Snakemake for files that nothing requires"):
        command = ["snakemake", "--list-untracked", *experiments, "--config", "lists=1"]
        listing = subprocess.run(command, capture_output=True, text=True)
    if listing.returncode:
        raise LowparamError(f"snakemake --list-untracked failed: {last_line(listing.stderr)}")
    return [Path(line) for line in listing.stdout.splitlines()]


def delete(found: dict[Path, list[Path]]) -> None:
    """Delete files, and the folders that are empty then."""
    for folder, files in found.items():
        for file in files:
            file.unlink()
        for empty in (folder, *folder.parents):
            if empty == paths.RESULTS or any(path.is_file() for path in empty.rglob("*")):
                break
            if empty.is_dir():
                shutil.rmtree(empty)
