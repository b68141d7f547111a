"""Commands for data sets."""

from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import paths, registry
from lowparam.cli._app import Experiment, command

GROUP = "Data"


@command(GROUP)
def prepare(name: Annotated[str, typer.Argument(help="Name of a data set in params.yaml.")]) -> None:
    """Read a data set, divide it, and store it in results/data."""
    from lowparam.data.prepare import prepare

    params = parameters.load()
    prepare(name, registry.get(name, params.data, "data set"), paths.data(name))


@command(GROUP)
def baseline(experiment: Experiment) -> None:
    """Fit a logistic regression to the pixels: the accuracy that a network has to beat."""
    from lowparam.training.baseline import fit_baseline

    params = parameters.load()
    fit_baseline(paths.data(params.experiment(experiment).data), paths.baseline(experiment))
