"""Let Snakemake take over what was made without it: by ``lowparam prepare`` or ``train``, or while it was killed.

Snakemake takes a file without metadata for current, whatever is in it, and records of DVC need the metadata. Prepared
data, choices and runs describe how they were made. Those that are as params.yaml describes them are adopted: Snakemake
runs their jobs alone, which find everything done, and notes that it is. Other files are rebuilt by the next job that
needs them; until then they stay, as do images and runs that are not valid.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from lowparam import paths, prepared_data, runs
from lowparam.engine import metadata_records
from lowparam.params import Params, Run, Scale

__all__ = ["adopt", "find", "has_invalid_data", "is_unknown", "mark"]


def is_unknown(file: Path) -> bool:
    """Whether a file is there, is not as Snakemake left it, and is not to be rebuilt anyway."""
    if not file.exists() or metadata_records.entry_path("incomplete", file).exists():
        return False
    return metadata_records.read_entry(file).get("endtime") != file.stat().st_mtime


def find(params: Params, experiments: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Find what Snakemake does not know, among all prepared data and the results of some experiments.

    Returns
    -------
    valid, others : list of Path
        One file of each job whose outputs are complete and as described; and all files that are unknown and no outputs
        of such a job.
    """
    valid: list[Path] = []
    others: list[Path] = []

    def sort(files: Iterable[Path], target: Path, is_valid: bool) -> None:
        if is_valid:
            valid.append(target)
        else:
            others.extend(files)

    for name in params.data:
        if files := _unknown([*paths.prepared(name, params.data[name].stream), paths.location(name)]):
            sort(files, paths.manifest(name), prepared_data.is_valid(params, name))
    for name in experiments:
        data = params.experiment(name).data
        if not paths.manifest(data).exists():  # a clone with tables alone, whose results nobody may rebuild unasked
            continue
        for scale in params.families(name) if params.experiment(name).tune else []:
            if files := _unknown([paths.tuning(name, scale.family)]):
                is_valid = prepared_data.is_valid(params, data) and runs.choice(params, scale) is not None
                sort(files, files[0], is_valid)
        for scale in params.scales(name):
            expected = _runs(params, scale)
            if files := _unknown(run.folder / file for run in expected for file in runs.FILES):
                is_valid = prepared_data.is_valid(params, data) and _are_trained(params, expected)
                sort(files, expected[0].folder / "metrics.json", is_valid)
        others += _without_entry([paths.baseline(name)])
        if all((run.folder / "metrics.json").exists() for run in params.runs(name)):
            for stage in ("profile", "deploy"):
                others += _without_entry(metadata_records.of_stage(stage, name)[1])
            if all(run.profile.exists() for run in params.runs(name)):
                others += _without_entry(metadata_records.of_stage("report", name)[1])
    return valid, others


def _unknown(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if is_unknown(file)]


def _without_entry(files: Iterable[Path]) -> list[Path]:
    """Return the unknown files that Snakemake never made; one that it made and that was touched since is kept."""
    return [file for file in _unknown(files) if not metadata_records.read_entry(file)]


def _runs(params: Params, scale: Scale) -> list[Run]:
    return [Run(scale, seed) for seed in params.experiment(scale.experiment).seeds]


def _are_trained(params: Params, expected: Sequence[Run]) -> bool:
    """Whether the job of these runs would find all of them trained."""
    images = runs.images_sha256(params, expected[0].scale)
    return all(runs.is_trained(run.folder, runs.identity(params, run, data_sha256=images)) for run in expected)


def has_invalid_data(params: Params) -> bool:
    """Whether there are prepared data that Snakemake would take for current ones and that are not; reads only."""
    return any(
        _unknown(paths.prepared(name, params.data[name].stream)) and not prepared_data.is_valid(params, name)
        for name in params.data
    )


def adopt(valid: Sequence[Path], options: Sequence[str]) -> bool:
    """Let Snakemake run the jobs of valid results, which change nothing; whether that succeeded.

    Parameters
    ----------
    valid : sequence of Path
        Of `find`.
    options : sequence of str
        Of ``snakemake``, about where it works.
    """
    names = ", ".join(str(file.parent) for file in valid[:3]) + (f" and {len(valid) - 3} more" if valid[3:] else "")
    print(f"lowparam: checking results that were not made by the workflow: {names}", file=sys.stderr, flush=True)
    command = ["snakemake", "--cores", "2", "--executor", "local", "--force", *options, "--", *map(str, valid)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def mark(files: Iterable[Path]) -> None:
    """Let Snakemake rebuild files when they are needed."""
    for file in files:
        metadata_records.mark_incomplete(file)
