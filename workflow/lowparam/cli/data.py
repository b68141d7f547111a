"""Commands for data sets."""

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import paths, prepared_data, registry
from lowparam.cli._app import Experiment, command
from lowparam.waiting import waiting

GROUP = "Data"


@command(GROUP)
def prepare(name: Annotated[str, typer.Argument(help="Name of a data set in params.yaml.")]) -> None:
    """Read a data set, divide it, and store it in results/data, unless it is there as params.yaml describes it."""
    params = parameters.load()
    data = registry.get(name, params.data, "data set")
    if prepared_data.is_valid(params, name):
        print(f"{paths.data(name)} is up to date")
        return

    from lowparam.data.prepare import prepare

    # On a terminal, reading and decoding have bars of their own.
    with nullcontext() if sys.stderr.isatty() else waiting(f"preparing {name}"):
        prepare(name, data, paths.data(name), identity=prepared_data.identity(params, name))
    prepared_data.keep_hashes(params, name)


@command(GROUP)
def baseline(experiment: Experiment) -> None:
    """Fit a logistic regression to the pixels: the accuracy that a network has to beat."""
    params = parameters.load()
    if params.data[params.experiment(experiment).data].factors is None:
        from lowparam.training.baseline import fit_baseline
    else:
        from lowparam.training.baseline_known import fit_known_baseline as fit_baseline

    fit_baseline(prepared_data.folder_for(params, experiment), paths.baseline(experiment))
