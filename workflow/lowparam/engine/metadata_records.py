"""Keep what Snakemake knows about how results were made next to the results, so that DVC versions both together.

Snakemake decides by ``.snakemake/metadata`` what is out of date: one folder for all experiments, local to a machine. A
record is the part of it that one DVC stage of one experiment made, with the hash of every file that it describes
(``results/<experiment>/records/<stage>.json``, written by ``lowparam record``).

`restore`, which ``lowparam run`` calls, gives an entry back to Snakemake if the file is exactly the one that the entry
describes, for instance after ``git clone`` and ``dvc pull``, or in another revision. A file that is neither as
Snakemake left it here nor as recorded is marked as incomplete, and Snakemake rebuilds it; otherwise it could pass
for what newer metadata describe.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from lowparam import paths, runs
from lowparam.errors import LowparamError
from lowparam.files import content_sha256, read_json, read_quietly, sha256, write_text
from lowparam.params import Params, Run

__all__ = ["has_unrestored", "mark_stale", "restore", "save", "stale_but_believed"]

SNAKEMAKE = Path(".snakemake")
SEEN = SNAKEMAKE / "records.json"  # what `restore` looked at already
MOMENTARY = ("starttime", "endtime", "job_hash")  # differ from one making of the same file to the next

MADE_BY = {
    "tune": ("tuning",),
    "train": ("runs", "baseline.json"),
    "profile": ("profiles",),
    "deploy": ("deployment",),
}
"""What a stage makes in the folder of an experiment; the stages that are not listed make the rest."""
NOT_MADE = ("benchmarks", "records", "dvc.yaml", "dvc.lock", ".gitignore")


def save(stage: str, name: str) -> None:
    """Write the record of a stage.

    Parameters
    ----------
    stage : str
        data, tune, train, profile, deploy or report.
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
        how = (
            "was not made by the workflow"
            if not entry
            else "was changed after the workflow made it"
            if entry["endtime"] != file.stat().st_mtime
            else None
        )
        if how:
            raise LowparamError(
                f"{file} {how}; lowparam run keeps it if it is valid, and makes it anew if not; move it elsewhere if "
                "it is none of the results"
            )
        made = without_times(entry)
        key = content_sha256(made)
        jobs.setdefault(key, {"made": made, "files": {}})["files"][str(file)] = sha256(file)
    if not jobs:
        raise LowparamError(f"there are no results of {stage} {name} to record")
    lines = ",\n".join(json.dumps(jobs[key], sort_keys=True) for key in sorted(jobs))
    write_text(record, f"[\n{lines}\n]\n")


def of_stage(stage: str, name: str) -> tuple[Path, list[Path]]:
    """Return the path of a stage's record and the results that it describes, sorted."""
    record = paths.record(name, stage)
    if stage == "data":
        return record, [file for file in below([paths.data(name)]) if file != record]
    folder = paths.experiment(name)
    if stage in MADE_BY:
        made = [folder / result for result in MADE_BY[stage]]
    else:
        others = {*NOT_MADE, *chain.from_iterable(MADE_BY.values())}
        made = [path for path in folder.glob("*") if path.name not in others]
    return record, below(made)


def below(places: Iterable[Path]) -> list[Path]:
    """Return the files in folders, and files; but not what a kill left of a file that was being written."""
    found = (file for place in places for file in (place.rglob("*") if place.is_dir() else [place]))
    return sorted(file for file in found if file.is_file() and not file.name.startswith("."))


def stale_but_believed(params: Params) -> list[Path]:
    """Return the metrics of stale runs, and stale choices, that Snakemake takes for current ones.

    When a training fails, Snakemake puts back the results that were there before and takes them for the failed job's.
    And it believes whatever it knows nothing of, such as what ``lowparam train`` made with other settings.
    """
    believed = []
    for name in params.experiments:
        states = runs.states(params, name) if paths.runs(name).is_dir() else {}
        for run, word in states.items():
            file = run.folder / "metrics.json"
            if word != "stale" or entry_path("incomplete", file).exists() or not _is_tuned(params, run):
                continue
            if _is_believed(file, runs.job_identity(params, run.scale)):
                believed.append(file)
        for scale in params.families(name) if params.experiment(name).tune else []:
            file = paths.tuning(name, scale.family)
            if not file.exists() or entry_path("incomplete", file).exists() or runs.choice(params, scale) is not None:
                continue
            if _is_believed(file, runs.tuning_identity(params, scale)):
                believed.append(file)
    return believed


def _is_believed(file: Path, identity: Any) -> bool:
    """Whether Snakemake takes a file for one that was made with this identity."""
    entry = read_entry(file)
    return not entry or repr(identity) in entry.get("params", [])


def _is_tuned(params: Params, run: Run) -> bool:
    """Whether the recipe of a run is known; where it is not, Snakemake tunes first and then trains."""
    return runs.choice(params, run.scale) is not None


def mark_stale(params: Params) -> None:
    """Let Snakemake train the runs again that `stale_but_believed` finds."""
    for file in stale_but_believed(params):
        mark_incomplete(file)


def restore() -> None:
    """Give recorded entries back to Snakemake. Looks only at files that changed since it last looked."""
    seen, looked = read_quietly(SEEN), {}
    for record in recorded():
        digest, known = sha256(record), _known(seen, record)
        if _has_changed(known):
            before, known = known, {}
            for job in read_json(record):
                for file, wanted in job["files"].items():
                    is_same = state(Path(file)) == before.get(file, 0)
                    known[file] = before[file] if is_same else settle(Path(file), wanted, job, record)
        looked[str(record)] = {"sha256": digest, "files": known}
    if looked != seen:
        # Without this folder, Snakemake takes metadata for those of an older version.
        (SNAKEMAKE / "incomplete").mkdir(parents=True, exist_ok=True)
        write_text(SEEN, json.dumps(looked))


def has_unrestored() -> bool:
    """Whether `restore` has something to do; reads only."""
    seen = read_quietly(SEEN)
    for record in recorded():
        known = _known(seen, record)
        if _has_changed(known):
            for job in read_json(record):
                for file, wanted in job["files"].items():
                    path = Path(file)
                    todo = "" if state(path) == known.get(file, 0) else _action(path, wanted, job, record)
                    if todo == "restore" or (todo == "redo" and not entry_path("incomplete", path).exists()):
                        return True
    return False


def recorded() -> list[Path]:
    """Return all records, sorted."""
    return sorted([*paths.RESULTS.glob("*/records/*.json"), *paths.DATA.glob("*/record.json")])


def _known(seen: dict[str, Any], record: Path) -> dict[str, Any]:
    before = seen.get(str(record), {})
    return before["files"] if before.get("sha256") == sha256(record) else {}


def _has_changed(known: dict[str, Any]) -> bool:
    return not known or any(state(Path(file)) != known[file] for file in known)


def settle(file: Path, wanted: str, job: dict[str, Any], record: Path) -> list[int] | None:
    """Bring Snakemake's entry for a file into line with the record; return the state in which that left it."""
    action = _action(file, wanted, job, record)
    if action == "restore":
        write_entry(file, job)
    elif action == "redo":
        mark_incomplete(file)
    return [] if action == "ask" else state(file)


def _action(file: Path, wanted: str, job: dict[str, Any], record: Path) -> str:
    """Return what Snakemake's entry for a file needs: nothing (""), ``restore``, ``redo``, or ``ask`` again later."""
    if not file.exists():
        return ""
    entry = read_entry(file)
    made_here = entry.get("endtime") == file.stat().st_mtime
    if made_here and without_times(entry) == job["made"]:
        return ""
    as_recorded = sha256(file) == wanted
    if as_recorded and made_here and not inputs_are(job["made"]["input_checksums"]):
        # Both runs produced identical bytes, so either entry is valid. Keep the current one; check again on every
        # start, in case the old inputs return.
        return "ask"
    if as_recorded and made_here and inputs_are(entry["input_checksums"]) and _is_newer(file, record):
        # Rebuilt since it was recorded, for instance with changed code, to identical bytes: to restore the old entry
        # would make it stale again at every start. A record that came by git or DVC is newer than the entry.
        return ""
    if as_recorded:
        return "restore"
    return "" if made_here else "redo"


def _is_newer(file: Path, record: Path) -> bool:
    """Whether Snakemake's entry for a file was written after a record."""
    return entry_path("metadata", file).stat().st_mtime_ns > record.stat().st_mtime_ns


def state(file: Path) -> list[int] | None:
    """Return what differs after a file or Snakemake's entry for it was touched; None if there is no file."""
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
    """Return where Snakemake keeps what it knows of a file: the path in base64, cut where file systems would."""
    name = urlsafe_b64encode(str(file).encode()).decode()
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return SNAKEMAKE.joinpath(kind, *(f"@{part}" for part in parts[:-1]), parts[-1])


def read_entry(file: Path) -> dict[str, Any]:
    """Return Snakemake's metadata of a file; empty if there are none, or only a part of them."""
    return read_quietly(entry_path("metadata", file))


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


cached_sha256 = cache(sha256)
