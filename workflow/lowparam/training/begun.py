"""Tells a training that goes on after a kill from one that was ordered again.

Training takes a start with nothing missing for an order to do all again, and deletes its work when it has published.
A kill after that, but before the workflow has written down that the job ended, would so cost runs that are finished.
Therefore a start leaves a mark. The workflow removes it once it knows that the job ended (workflow/records.py); as long
as the mark is there, what is published counts as finished work, and a start trains only what is missing.
"""

import shutil
from pathlib import Path

from lowparam.errors import LowparamError
from lowparam.files import atomic
from lowparam.params import Scale
from lowparam.training.job import FILES

__all__ = ["begin"]


def begin(scale: Scale, *, work: Path = Path(".lowparam/runs"), results: Path | None = None) -> None:
    """Mark that the training of a scale starts; if one is there already, take published runs back as work.

    Parameters
    ----------
    scale : Scale
        What will be trained.
    work, results : Path
        Where unfinished work is kept and where finished runs are published, as for
        `lowparam.training.job.train_scale`.

    Raises
    ------
    LowparamError
        If a folder cannot be written.
    """
    mark = Path(work, scale.experiment, f"{scale.name}.begun")
    try:
        if not mark.exists():
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
            return
        for published in Path(results or scale.folder).glob("seed*/metrics.json"):
            for file in FILES:
                if published.with_name(file).exists():
                    with atomic(mark.with_suffix("") / published.parent.name / file) as temporary:
                        shutil.copyfile(published.with_name(file), temporary)
    except OSError as error:
        raise LowparamError(f"cannot write {error.filename}: {error.strerror}") from error
