"""Commands of studies, which need no grid of trainings."""

from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import paths, prepared_data
from lowparam.cli._app import Experiment, command, show

GROUP = "Studies"


@command(GROUP)
def study(
    name: Annotated[str | None, typer.Argument(help="Name of a study, such as star.")] = None,
    part: Annotated[str | None, typer.Argument(help="One part of it; all by default.")] = None,
) -> None:
    """Run a study or one part of it; without a name, list them."""
    from lowparam import studies

    if name is None:
        show([{"study": each.study, "part": each.name, "about": each.about} for each in studies.parts()])
        return
    chosen = studies.find(name)
    params = parameters.load()
    for each in chosen.parts if part is None else [chosen.part(part)]:
        each.run(params)


@command(GROUP)
def bilinear(experiment: Experiment) -> None:
    """Decompose the star blocks without activation of an experiment into eigenvectors."""
    from lowparam.studies.star.bilinear import write_bilinear

    params = parameters.load()
    write_bilinear(
        params,
        experiment,
        data_folder=prepared_data.folder_for(params, experiment),
        folder=paths.experiment(experiment),
    )
