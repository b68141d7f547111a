"""Keeps what Snakemake knows of how results were made beside the results, so that DVC can version one with the other.

    python workflow/records.py train digits

Snakemake decides by `.snakemake/metadata` what is out of date: one folder for all experiments, of one machine. A record
is the part of it that one stage of one experiment made, with the hash of every file that it describes:
`results/<experiment>/records/<stage>.json`. The command above saves one. `restore` is called by every start of the
workflow: it gives an entry back to Snakemake where the file beside it is the very one that the entry describes, after a
`git clone` and `dvc pull` or another revision, for instance. A file that is neither as Snakemake left it here nor as
recorded is marked as unfinished, and Snakemake makes it again: else it could pass for what its newer metadata describe.
"""

import hashlib
import json
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from lowparam import paths, runs
from lowparam.errors import LowparamError
from lowparam.files import read_json, write_text
from lowparam.params import Params

__all__ = ["mark_stale", "restore", "save"]

SNAKEMAKE = Path(".snakemake")
SEEN = SNAKEMAKE / "records.json"  # what `restore` looked at already
MOMENTARY = ("starttime", "endtime", "job_hash")  # differ from one making of the same file to the next

PARTS = {"train": ("runs", "baseline.json"), "profile": ("profiles",)}  # what a stage makes; the last makes the rest
NOT_MADE = ("benchmarks", "records", "dvc.yaml", "dvc.lock", ".gitignore")


def save(stage: str, name: str) -> None:
    """Write the record of a stage.

    Parameters
    ----------
    stage : str
        data, train, profile or report.
    name : str
        Name of an experiment, or of a data set if the stage is data.

    Raises
    ------
    LowparamError
        If there is no result, or one that is not as Snakemake made it; no record is written then.
    """
    jobs: dict[str, dict[str, Any]] = {}
    record, files = of_stage(stage, name)
    for file in files:
        entry = read_entry(file)
        if not entry:
            raise LowparamError(f"{file} was not made by the workflow: delete it and run snakemake again")
        if entry["endtime"] != file.stat().st_mtime:
            raise LowparamError(f"{file} was changed after the workflow made it: delete it and run snakemake again")
        made = without_times(entry)
        key = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
        jobs.setdefault(key, {"made": made, "files": {}})["files"][str(file)] = sha256(file)
    if not jobs:
        raise LowparamError(f"there are no results of {stage} {name} to record")
    lines = ",\n".join(json.dumps(jobs[key], sort_keys=True) for key in sorted(jobs))
    write_text(record, f"[\n{lines}\n]\n")


def of_stage(stage: str, name: str) -> tuple[Path, list[Path]]:
    """Return the path of a stage's record and the results that it describes, sorted."""
    if stage == "data":
        folder = Path("results/data", name)
        record = folder / "record.json"
        return record, [file for file in below([folder]) if file != record]
    folder = Path("results", name)
    if stage in PARTS:
        made = [folder / part for part in PARTS[stage]]
    else:
        others = {*NOT_MADE, *(part for parts in PARTS.values() for part in parts)}
        made = [path for path in folder.glob("*") if path.name not in others]
    return folder / "records" / f"{stage}.json", below(made)


def below(paths: Iterable[Path]) -> list[Path]:
    """Files in folders, and files; but not what a kill left of a file that was being written."""
    found = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    return sorted(file for file in found if file.is_file() and not file.name.startswith("."))


def mark_stale(params: Params) -> None:
    """Let Snakemake train stale runs again, whatever it believes of them.

    When a training fails, Snakemake puts back the results that were there before and takes them for the failed job's.
    """
    for name in params.experiments:
        if not paths.runs(name).is_dir():
            continue
        for run, state in runs.states(params, name).items():
            file = run.folder / "metrics.json"
            if state == "stale" and not entry_path("incomplete", file).exists():
                mark_incomplete(file)


def restore() -> None:
    """Give recorded entries back to Snakemake. Looks only at files that changed since it last looked."""
    seen = read_quietly(SEEN)
    looked = {}
    for record in sorted([*Path("results").glob("*/records/*.json"), *Path("results/data").glob("*/record.json")]):
        digest = sha256(record)
        before = seen.get(str(record), {})
        known = before["files"] if before.get("sha256") == digest else {}
        if not known or any(state(Path(file)) != known[file] for file in known):
            known = {
                file: known[file] if state(Path(file)) == known.get(file, 0) else settle(Path(file), wanted, job)
                for job in read_json(record)
                for file, wanted in job["files"].items()
            }
        looked[str(record)] = {"sha256": digest, "files": known}
    if looked != seen:
        # Snakemake would take metadata without this folder for those of an older version.
        (SNAKEMAKE / "incomplete").mkdir(parents=True, exist_ok=True)
        write_text(SEEN, json.dumps(looked))


def settle(file: Path, wanted: str, job: dict[str, Any]) -> list[int] | None:
    """Bring Snakemake's entry for a file into line with the record, and return the state in which that left it."""
    if not file.exists():
        return None
    entry = read_entry(file)
    made_here = entry.get("endtime") == file.stat().st_mtime
    if made_here and without_times(entry) == job["made"]:
        return state(file)
    recorded = sha256(file) == wanted
    if recorded and made_here and not inputs_are(job["made"]["input_checksums"]):
        # Both makings gave these bytes, so both entries are true. That of now is of use, until the inputs are again
        # those of then: ask every time.
        return []
    if recorded:
        write_entry(file, job)
    elif not made_here:
        mark_incomplete(file)
    return state(file)


def state(file: Path) -> list[int] | None:
    """What is different if a file or Snakemake's entry for it was touched; None if there is no file."""
    try:
        about = file.stat()
    except FileNotFoundError:
        return None
    try:
        entry = entry_path("metadata", file).stat().st_mtime_ns
    except FileNotFoundError:
        entry = 0
    return [about.st_size, about.st_mtime_ns, entry]


def inputs_are(checksums: dict[str, str]) -> bool:
    """Whether the inputs of a job are now as they were then."""
    return all(Path(file).exists() and f"sha256:{cached_sha256(file)}" == then for file, then in checksums.items())


def entry_path(kind: str, file: Path) -> Path:
    """Where Snakemake keeps what it knows of a file: the path in base64, cut where file systems would."""
    name = urlsafe_b64encode(str(file).encode()).decode()
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return SNAKEMAKE.joinpath(kind, *(f"@{part}" for part in parts[:-1]), parts[-1])


def read_entry(file: Path) -> dict[str, Any]:
    """Snakemake's metadata of a file; empty if it has none."""
    return read_quietly(entry_path("metadata", file))


def read_quietly(path: Path) -> dict[str, Any]:
    """Read JSON that may be missing or, after a crash, cut off; Snakemake does without as well."""
    try:
        return read_json(path)
    except LowparamError:
        return {}


def write_entry(file: Path, job: dict[str, Any]) -> None:
    """Let Snakemake believe that it made a file as recorded, at the time that the file has."""
    time = file.stat().st_mtime
    number = int(hashlib.sha256(next(iter(job["files"])).encode()).hexdigest()[:12], 16)  # the same for one job
    write(
        entry_path("metadata", file),
        {**job["made"], **dict(zip(MOMENTARY, (time, time, number), strict=True))},
    )
    entry_path("incomplete", file).unlink(missing_ok=True)


def mark_incomplete(file: Path) -> None:
    """Let Snakemake take a file for one that a job left unfinished, and make it again."""
    write(entry_path("incomplete", file), {"external_jobid": None})


def write(path: Path, entry: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entry), encoding="utf-8")


def without_times(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in MOMENTARY}


def sha256(file: Path | str) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


cached_sha256 = cache(sha256)


if __name__ == "__main__":
    # Not above: every start of the workflow imports this file, and only the command writes records of stages.
    from lowparam import params as parameters
    from lowparam.engine import dvc_files

    try:
        dvc_files.check(parameters.load())
        save(*sys.argv[1:])
    except LowparamError as error:
        sys.exit(f"records: {error}")
