"""What stands around the training of a scale: a look whether it needs one, and a mark while it goes on.

The workflow starts a training for many reasons, not all of which change it: data that were prepared again with the same
bytes, a kill between the last published file and the end of the job. Then everything is there already and is kept.

Two marks beside the unfinished work connect this with workflow/records.py, and a training that ends takes both away.
`begun` is set here: when a training fails, Snakemake puts the results back that were there before and takes them for
made by the job that failed, and the mark tells its next start that they are not. `doubtful` is set there, for results
that somebody changed after they were made.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from lowparam import __version__
from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.params import Params, Run, Scale, run_spec
from lowparam.provenance import code_sha256
from lowparam.training.train_scale import Seed

__all__ = ["begun", "is_trained"]

WORK = Path(".lowparam/runs")


def is_trained(
    params: Params, scale: Scale, *, data_folder: Path, work: Path = WORK, results: Path | None = None
) -> bool:
    """Whether all seeds of a scale are published, whole, from the settings, data, code and torch of now, and no doubts.

    Parameters
    ----------
    params, scale, data_folder, work, results
        As for `lowparam.training.train_scale.train_scale`.
    """
    experiment, manifest = params.experiment(scale.experiment), data_folder / "manifest.json"
    if _mark(scale, "doubtful", work).exists() or not manifest.exists():
        return False
    made_with = {
        "lowparam": __version__,
        "torch": torch.__version__,
        "data_sha256": read_json(manifest)["sha256"],
        "code_sha256": code_sha256(
            "stream" if params.data[experiment.data].stream else "train", architecture=scale.architecture
        ),
    }
    specs = [run_spec(params, Run(scale, seed)) for seed in experiment.seeds]
    return all(Seed(spec, made_with, Path(work), Path(results or scale.folder)).is_published() for spec in specs)


@contextmanager
def begun(scale: Scale, work: Path = WORK) -> Iterator[None]:
    """Mark that a scale is being trained; the mark stays if the training fails or is killed.

    Raises
    ------
    LowparamError
        If the folder of unfinished work cannot be written.
    """
    mark = _mark(scale, "begun", work)
    first = os.environ.get("RANK", "0") == "0"  # of several processes one marks for all
    try:
        if first:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
    except OSError as error:
        raise LowparamError(f"cannot write {mark}: {error.strerror}") from error
    yield
    if first:
        mark.unlink(missing_ok=True)
        _mark(scale, "doubtful", work).unlink(missing_ok=True)


def _mark(scale: Scale, kind: str, work: Path) -> Path:
    return Path(work, scale.experiment, f"{scale.name}.{kind}")
