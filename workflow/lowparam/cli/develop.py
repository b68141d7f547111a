"""Commands for developers: files in docs/ that are written from the code."""

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
