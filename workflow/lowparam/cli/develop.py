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
    """Write what pages have from the code (networks, systems, measures, kinds) and from the results (answers)."""
    from lowparam import page_tables, systems_page
    from lowparam.claims import kind_tables
    from lowparam.interference import measure_table
    from lowparam.models import pages
    from lowparam.report.pages.answers import write_answers

    pages.write(Path("docs/architectures"))
    page_tables.write(measure_table.PAGE, measure_table.tables())
    page_tables.write(kind_tables.PAGE, kind_tables.tables())
    systems_page.write()
    write_answers(parameters.load())
