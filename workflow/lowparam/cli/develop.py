"""Commands for developers: files in docs/ that are written from the code."""

from lowparam import params as parameters
from lowparam.cli._app import command

GROUP = "Develop"


@command(GROUP)
def schema() -> None:
    """Print the JSON schema of params.yaml, for editors."""
    print(parameters.schema())
