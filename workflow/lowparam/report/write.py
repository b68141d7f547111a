"""Write the tables and figures that the catalogue lists for an experiment or a study."""

import shutil
from dataclasses import replace

from lowparam import catalogue, paths, registry
from lowparam.catalogue import FIGURES, TABLES
from lowparam.files import atomic
from lowparam.params import Params
from lowparam.report.context import Context
from lowparam.report.style import in_style, save
from lowparam.report.table_format import Table

__all__ = ["make_tables", "write_figures", "write_tables"]


def make_tables(context: Context, of: str | None = None, *, page: bool = False) -> list[Table]:
    """Compute the tables of an experiment or study, with name and caption.

    Parameters
    ----------
    context : Context
        What they are made from.
    of : str, optional
        As in `catalogue.outputs`.
    page : bool
        Only those that the HTML report contains.
    """
    made = []
    for output in catalogue.outputs(TABLES, context.subject, of):
        if page and not output.on_page:
            continue
        table = registry.load(TABLES, output.entry).make(context.of(output))
        caption = table.caption or context.caption(output, table.details)
        made.append(replace(table, name=output.name, caption=caption))
    return made


def write_tables(params: Params, name: str, of: str | None = None, *, context: Context | None = None) -> None:
    """Write tables into ``results/<name>/tables``, as csv, Markdown and LaTeX.

    Parameters
    ----------
    params, name
        Settings, and the experiment or study.
    of : str, optional
        As in `catalogue.outputs`.
    context : Context, optional
        Where something is known already, such as verdicts; otherwise it is made from the files in ``results/<name>``.
    """
    for table in make_tables(context or Context(params, name), of):
        table.write(paths.tables(name), name)


def write_figures(params: Params, name: str, of: str | None = None, *, context: Context | None = None) -> None:
    """Draw figures into ``results/<name>/figures``, as PDF and PNG; parameters as in `write_tables`.

    The PNG of those with ``SHOWN`` is copied to ``results/<name>/shown``, which git keeps.
    """
    context = context or Context(params, name)
    with in_style():
        for output in catalogue.outputs(FIGURES, context.subject, of):
            path = paths.figures(name) / output.name
            save(registry.load(FIGURES, output.entry).make(context.of(output)), path)
            if output.shown:
                with atomic(paths.shown(name) / f"{output.name}.png") as temporary:
                    shutil.copyfile(path.with_suffix(".png"), temporary)
