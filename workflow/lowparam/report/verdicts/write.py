"""Judge the claims on an experiment or study and write everything that is printed about the verdicts."""

from dataclasses import replace

from lowparam import catalogue, paths
from lowparam.claims.caveats import with_circumstances
from lowparam.claims.judge import judge
from lowparam.claims.registry import load_registry
from lowparam.claims.subjects import subject, subjects
from lowparam.files import atomic, write_text
from lowparam.params import Params
from lowparam.report.context import Context
from lowparam.report.verdicts.macros import macros
from lowparam.report.verdicts.markdown import verdict_page
from lowparam.report.verdicts.view import view
from lowparam.report.write import write_figures, write_tables

__all__ = ["write_verdicts"]


def write_verdicts(params: Params, name: str) -> None:
    """Judge the claims, and write what is made from the verdicts; nothing else writes any of it.

    ``claims.csv``, with unrounded numbers, and ``claims.md`` in ``results/<name>``, the tables of verdicts and
    ``macros.tex`` in its ``tables``, and the figures of verdicts that `lowparam.catalogue` lists.

    Parameters
    ----------
    params : Params
        All settings.
    name : str
        An experiment of params.yaml, or a study that claims are judged on.

    Raises
    ------
    LowparamError
        If there is neither, or its results are missing.
    """
    registry = load_registry()
    judged_on = subject(params, name)
    runs = judged_on.read()
    if judged_on.experiment is not None:
        runs = with_circumstances(params, name, runs)
    judged = judge(registry, name, runs, data=judged_on.data, known=subjects(params))
    with atomic(paths.claims(name)) as temporary:
        judged.rows.to_csv(temporary, index=False, lineterminator="\n")
    context = Context(params, name, verdicts=judged)
    claims = view(judged.rows, registry)
    write_tables(params, name, "verdicts", context=context)
    write_text(paths.tables(name) / "macros.tex", macros(claims, judged_on, runs, params))
    figures = [
        replace(figure, caption=context.caption(figure))
        for figure in catalogue.every_output(catalogue.FIGURES, context.subject)
        if figure.shown
    ]
    write_text(paths.experiment(name) / "claims.md", verdict_page(claims, name, figures))
    write_figures(params, name, "verdicts", context=context)
