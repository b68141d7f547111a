"""Names that the workflow uses for its rules and folders, which an experiment therefore cannot have."""

import re

from lowparam import studies
from lowparam.errors import LowparamError
from lowparam.params import Params

__all__ = ["RESERVED", "check_names", "refuse"]

RESERVED = {
    "all",
    "choices",
    "tune",
    "runs",
    "profiles",
    "deployments",
    "overview",
    "data",
    "prepare",
    "prepare_files",
    "baseline",
    "collect",
    "bilinear",
}
"""Names of rules, and of folders in results."""

NUMBERED = re.compile(r"(tune|train|profile|deploy)_[\d_]+")


def check_names(params: Params) -> None:
    """Check that no experiment is called like a rule or a folder of results.

    Raises
    ------
    LowparamError
        For the first that is.
    """
    for name in params.experiments:
        refuse(name)


def refuse(name: str) -> None:
    """Raise a LowparamError if an experiment cannot have this name."""
    taken = {*RESERVED, *studies.names(), *(f"{part.study}_{part.name}" for part in studies.parts())}
    if name in taken or NUMBERED.fullmatch(name):
        raise LowparamError(
            f"params.yaml: experiments.{name}: the workflow has another use for this name; choose another name"
        )
