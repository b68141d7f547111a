"""Write the tables and figures that the catalogue lists for an experiment or a study."""

import shutil
from collections.abc import Collection
from dataclasses import replace

from lowparam import catalogue, paths, registry
from lowparam.catalogue import FIGURES, TABLES, Output
from lowparam.files import atomic
from lowparam.params import Params
from lowparam.report.context import Context
from lowparam.report.style import in_style, save
from lowparam.report.table_format import Table
from lowparam.waiting import track

__all__ = ["make_tables", "write_figures", "write_tables"]


def make_tables(
    context: Context, of: str | None = None, *, only: Collection[str] = (), page: bool = False
) -> list[Table]:
    """Compute the tables of an experiment or study, with name and caption.

    Parameters
    ----------
    context : Context
        What they are made from.
    of : str, optional
        As in `catalogue.outputs`.
    only : collection of str
        Names of the tables; all by default.
    page : bool
        Leave out those that the HTML report does not contain.

    Raises
    ------
    LowparamError
        If there is no table of a name in `only`; the message offers the nearest.
    """
    made = []
    for output in _chosen(TABLES, context, of, only):
        if page and not output.on_page:
            continue
        table = registry.load(TABLES, output.entry).make(context.of(output))
        caption = table.caption or context.caption(output, table.details)
        made.append(replace(table, name=output.name, caption=caption))
    return made


def write_tables(
    params: Params,
    name: str,
    of: str | None = None,
    *,
    only: Collection[str] = (),
    context: Context | None = None,
) -> None:
    """Write tables into ``results/<name>/tables``, as csv, Markdown and LaTeX.

    Parameters
    ----------
    params : Params
        All settings.
    name : str
        An experiment or a study.
    of, only
        As in `make_tables`.
    context : Context, optional
        Where something is known already, such as verdicts; otherwise it is made from the files in ``results/<name>``.
    """
    for table in make_tables(context or Context(params, name), of, only=only):
        table.write(paths.tables(name), name)


def write_figures(
    params: Params,
    name: str,
    of: str | None = None,
    *,
    only: Collection[str] = (),
    context: Context | None = None,
) -> None:
    """Draw figures into ``results/<name>/figures``, as PDF and PNG; parameters as in `write_tables`.

    The PNG of those with ``SHOWN`` is copied to ``results/<name>/shown``, which git keeps.
    """
    context = context or Context(params, name)
    with in_style():
        for output in track(_chosen(FIGURES, context, of, only), f"drawing figures of {name}"):
            folder = paths.figures(name)
            save(registry.load(FIGURES, output.entry).make(context.of(output)), folder, output.name)
            if output.shown:
                with atomic(paths.shown(name) / f"{output.name}.png") as temporary:
                    shutil.copyfile(folder / f"{output.name}.png", temporary)


def _chosen(folder: str, context: Context, of: str | None, only: Collection[str]) -> list[Output]:
    outputs = {output.name: output for output in catalogue.outputs(folder, context.subject, of)}
    kind = folder.rpartition("/")[2].removesuffix("s")
    return [registry.get(name, outputs, f"{kind} of {context.name}") for name in only or outputs]
