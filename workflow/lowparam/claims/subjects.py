"""What claims are judged on: the runs of an experiment of params.yaml, or the tables of a study."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowparam import paths, registry, studies
from lowparam.errors import LowparamError
from lowparam.files import read_csv
from lowparam.params import Experiment, Params

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Subject", "judged_subjects", "subject", "subjects"]

PUBLISHED_AS = {
    "cifar10": "CIFAR-10",
    "cifar10_jpeg": "CIFAR-10 (JPEG)",
    "cifar100": "CIFAR-100",
    "fashion_mnist": "Fashion-MNIST",
    "tiny_imagenet": "Tiny ImageNet",
}
"""Names of sources in print; images of any other source are called what params.yaml calls them.

ImageNet is not among them, because experiments here take a part of it, or small images.
"""


@dataclass(frozen=True)
class Subject:
    """Name an experiment or a study that claims are judged on.

    Parameters
    ----------
    name : str
        Name of its folder in ``results/``.
    experiment : Experiment or None
        Settings of the experiment; None for a study.
    data : str
        What a row of `read` is: ``runs`` of networks for experiments, what the study declares as ``DATA`` otherwise.
    place : str
        Name in print, with the data set of an experiment in brackets.
    """

    name: str
    experiment: Experiment | None
    data: str
    place: str

    def read(self) -> "pd.DataFrame":
        """Read the rows that tests judge: runs.csv, or the stacked tables of a study with their name in ``table``.

        Raises
        ------
        LowparamError
            If they are missing.
        """
        import pandas as pd

        if self.experiment is not None:
            return _read(paths.runs_table(self.name), self.name)
        tables = {name: paths.experiment(self.name) / f"{name}.csv" for name in studies.find(self.name).judged}
        return pd.concat([_read(path, self.name).assign(table=name) for name, path in tables.items()])

    def about(self, rows: "pd.DataFrame") -> str:
        """Describe in a sentence what was judged."""
        if self.experiment is None:
            return _constants(self.name)["ABOUT"].format(rows=len(rows))
        diverged, untrained = (int((rows["status"] == status).sum()) for status in ("diverged", "untrained"))
        return (
            f"Data: {self.experiment.data}. {len(rows)} runs of {rows['architecture'].nunique()} architectures with "
            f"{rows['seed'].nunique()} seeds, {diverged} diverged, {untrained} untrained."
        )


def subject(params: Params, name: str) -> Subject:
    """Return the experiment or study of a name.

    Raises
    ------
    LowparamError
        If there is neither, or no claim can be judged on the study; the message offers the nearest name.
    """
    if name in params.experiments:
        return Subject(name, params.experiment(name), "runs", _place(params, name))
    registry.get(name, dict.fromkeys(subjects(params)), "experiment or study with claims")  # raises where there is none
    return Subject(name, None, _constants(name)["DATA"], f"{name} ({_constants(name)['PLACE']})")


def _place(params: Params, name: str) -> str:
    """Name an experiment and its images, as the literature calls them: parts of one data set are the same images."""
    data = params.experiment(name).data
    called = PUBLISHED_AS.get(params.data[data].source, data)
    return name if name == called else f"{name} ({called})"


def subjects(params: Params) -> list[str]:
    """Return the names of everything that claims are judged on: experiments, then studies."""
    return [*params.experiments, *_judged_studies()]


def judged_subjects(params: Params) -> list[Subject]:
    """Return the experiments and studies that have verdicts, in the order of `subjects`."""
    return [subject(params, name) for name in subjects(params) if paths.claims(name).exists()]


def _judged_studies() -> Iterable[str]:
    return [name for name in studies.names() if studies.find(name).judged]


def _constants(name: str) -> dict[str, Any]:
    return registry.constants("studies", name)


def _read(path: Path, name: str) -> "pd.DataFrame":
    if not path.exists():
        raise LowparamError(f"{path} does not exist; run: lowparam run {name}")
    return read_csv(path)
