"""Commands for developers: files in docs/ that are written from the code."""

from pathlib import Path
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam.cli._app import command

GROUP = "Develop"


@command(GROUP)
def schema(
    file: Annotated[str, typer.Argument(help="params.yaml or recipes.yaml.")] = "params.yaml",
) -> None:
    """Print the JSON schema of params.yaml or recipes.yaml, for editors."""
    print(parameters.schema(file))


@command(GROUP)
def docs() -> None:
    """Write the pages and tables in docs/ that come from the code: networks and measures."""
    from lowparam.interference import measure_table
    from lowparam.models import pages

    pages.write(Path("docs/architectures"))
    measure_table.write_tables()
