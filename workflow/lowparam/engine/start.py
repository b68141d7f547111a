"""Prepare the folder for Snakemake, and run it.

``lowparam run`` removes the lock of a Snakemake that was killed, gives Snakemake its knowledge of results that came by
``git``, ``dvc`` or a failed training, lets it take over what was made without it, and then runs ``snakemake`` with the
same arguments. Parsing the Snakefile itself only reads: if the folder needs to be prepared, plain ``snakemake`` stops
with one line.
"""

import contextlib
import os
import re
from collections.abc import Sequence
from typing import NoReturn

from lowparam import paths, prepared_data, provenance, runs
from lowparam.engine import adoption, metadata_records, stale_locks
from lowparam.errors import LowparamError
from lowparam.params import Params, load

__all__ = ["prepare", "refuse_unprepared", "run"]


def prepare(params: Params) -> None:
    """Bring Snakemake's locks and metadata into line with what is on disk; changes no result.

    Writes nothing while another Snakemake works in the folder: what is on disk is then between two states, and the
    metadata are its own.
    """
    if stale_locks.is_used():
        return
    stale_locks.clear()
    metadata_records.mark_stale(params)
    metadata_records.restore()


def refuse_unprepared(params: Params) -> None:
    """Check that Snakemake's knowledge of the results is right; reads only.

    Raises
    ------
    LowparamError
        If results came by git or DVC, or a training failed, since `prepare` was last called, or data were prepared
        otherwise than params.yaml describes: Snakemake would take old results for current ones, or current ones for
        old. Not while another Snakemake works here: it is changing them, and a second one only shows its plan or is
        refused by the lock.
    """
    if stale_locks.is_used():
        return
    if (
        metadata_records.has_unrestored()
        or metadata_records.stale_but_believed(params)
        or adoption.has_invalid_data(params)
    ):
        raise LowparamError(
            "results on disk are not those that Snakemake made here (they came by git or dvc, or a job failed); "
            "type lowparam run with the same arguments instead of snakemake"
        )


def run(arguments: Sequence[str]) -> NoReturn:
    """Prepare the folder that ``snakemake`` will work in, then become ``snakemake``.

    Parameters
    ----------
    arguments : sequence of str
        Those of ``snakemake``. Names of experiments become ``--config experiment=<names>`` of the rule ``all``, which
        also notices that a single file of a run is missing.

    Raises
    ------
    LowparamError
        If params.yaml is missing or wrong there.
    """
    directory = _value(arguments, "-d", "--directory") or "."
    with contextlib.chdir(directory):
        params = load()
        prepare(params)
        valid, others = ([], []) if stale_locks.is_used() else adoption.find(params, _chosen(arguments, params))
        adoption.mark(others)
        keep_digests(params)
    snakefile = _value(arguments, "-s", "--snakefile")
    options = ["--directory", directory, *(["--snakefile", snakefile] if snakefile else [])]
    if valid and not adoption.adopt(valid, options):
        with contextlib.chdir(directory):
            adoption.mark(valid)
    os.execvp("snakemake", ["snakemake", *_with_experiments(arguments, params)])


def keep_digests(params: Params) -> None:
    """Compute the digests of code that the Snakefile will ask for, so that it only has to read them."""
    for name in [name for name in params.experiments if name in params.replicate or paths.runs(name).is_dir()]:
        with contextlib.suppress(LowparamError):  # Snakemake names what is unknown, if the experiment is wanted
            prepared_data.rule_identity(params, params.experiment(name).data)
            prepared_data.keep_hashes(params, params.experiment(name).data)
            runs.collect_identity(params, name)
            runs.bilinear_identity(params, name)
            runs.report_identity(params, name)
            for scale in params.scales(name):
                runs.profile_identity(params, scale)
            runs.baseline_identity(params, name)
    provenance.keep()


def _with_experiments(arguments: Sequence[str], params: Params) -> list[str]:
    """Replace targets that are names of experiments."""
    first = next((place for place, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    names = [word for word in arguments[:first] if word in params.experiments]
    if not names:
        return list(arguments)
    targets = [word for word in arguments[:first] if word not in names]
    options, chosen = list(arguments[first:]), f"experiment={','.join(names)}"
    if "--config" in options:
        options.insert(options.index("--config") + 1, chosen)
    else:
        options += ["--config", chosen]
    return ["all", *targets, *options]


def _chosen(arguments: Sequence[str], params: Params) -> list[str]:
    """Return the experiments that targets are of, as far as the arguments tell."""
    words = {word for argument in arguments for word in re.split("[=,/]", argument)}
    return [name for name in params.experiments if name in words] or list(params.replicate)


def _value(arguments: Sequence[str], short: str, long: str) -> str | None:
    """Return the value of an option of ``snakemake``."""
    for place, argument in enumerate(arguments):
        if argument in (short, long) and place + 1 < len(arguments):
            return arguments[place + 1]
        if argument.startswith(f"{long}="):
            return argument.partition("=")[2]
    return None
