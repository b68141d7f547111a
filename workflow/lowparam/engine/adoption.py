"""Let Snakemake take over data that were prepared without it, by ``lowparam prepare``.

Snakemake takes a file without metadata for current, whatever is in it, and records of DVC need the metadata. Prepared
data describe how they were made. Those that are as params.yaml describes them are adopted: Snakemake runs their jobs
alone, which find everything done, and notes that it is. Others are prepared again by the next job that needs them;
until then they stay.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from lowparam import paths, prepared_data
from lowparam.engine import metadata_records
from lowparam.params import Params

__all__ = ["adopt", "find", "has_invalid_data", "is_unknown", "mark"]


def is_unknown(file: Path) -> bool:
    """Whether a file is there, is not as Snakemake left it, and is not to be rebuilt anyway."""
    if not file.exists() or metadata_records.entry_path("incomplete", file).exists():
        return False
    return metadata_records.read_entry(file).get("endtime") != file.stat().st_mtime


def find(params: Params) -> tuple[list[Path], list[Path]]:
    """Find prepared data that Snakemake does not know.

    Returns
    -------
    valid, others : list of Path
        One file of each job whose outputs are complete and as described; and all files that are unknown and no outputs
        of such a job.
    """
    valid: list[Path] = []
    others: list[Path] = []
    for name in params.data:
        if files := _unknown([*paths.prepared(name, params.data[name].stream), paths.location(name)]):
            if prepared_data.is_valid(params, name):
                valid.append(paths.manifest(name))
            else:
                others += files
    return valid, others


def _unknown(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if is_unknown(file)]


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
