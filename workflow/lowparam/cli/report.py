"""Commands that judge claims and write reports."""

import sys
from typing import Annotated

import typer

from lowparam import params as parameters
from lowparam import runs
from lowparam.cli._app import Subject, command
from lowparam.waiting import waiting

GROUP = "Judge and report"


def _settings(name: str) -> parameters.Params:
    """Read params.yaml, and tell if the runs of the experiment are of other settings."""
    params = parameters.load()
    if name in params.experiments and (difference := runs.difference(params, name)):
        print(f"lowparam: {difference}", file=sys.stderr)
    return params


@command(GROUP)
def report(name: Subject) -> None:
    """Write everything for reading about an experiment or study: tables, figures, verdicts and the page."""
    from lowparam.report.report import write_report

    write_report(_settings(name), name)


@command(GROUP)
def claims(name: Subject) -> None:
    """Judge the papers' claims on an experiment or study; write verdicts, tables, macros and figures."""
    from lowparam.claims import subjects
    from lowparam.report.verdicts.write import write_verdicts

    params = _settings(name)
    subjects.subject(params, name)
    with waiting(f"judging the claims on {name} and drawing what they show"):
        write_verdicts(params, name)


@command(GROUP)
def tables(
    name: Subject, only: Annotated[list[str] | None, typer.Argument(help="Names of tables; all by default.")] = None
) -> None:
    """Write the tables of an experiment or study as LaTeX, Markdown and csv."""
    from lowparam.report.write import write_tables

    write_tables(_settings(name), name, only=only or ())


@command(GROUP)
def figures(
    name: Subject, only: Annotated[list[str] | None, typer.Argument(help="Names of figures; all by default.")] = None
) -> None:
    """Draw the figures of an experiment or study as PDF and PNG."""
    from lowparam.report.write import write_figures

    write_figures(_settings(name), name, only=only or ())


@command(GROUP)
def page(name: Subject) -> None:
    """Write one HTML file with the verdicts, their evidence, tables, figures and runs."""
    from lowparam.report.pages.html_page import write_page

    write_page(_settings(name), name)


@command(GROUP)
def overview() -> None:
    """Write results/claims.md: every claim over all experiments that were judged."""
    from lowparam.report.verdicts.overview import write_overview

    write_overview(parameters.load())


@command(GROUP)
def paper() -> None:
    """Compile paper/paper.tex with the results of every experiment that was judged; needs LaTeX."""
    from lowparam.report.pages.paper import write_paper

    with waiting("compiling the paper"):
        written = write_paper(parameters.load())
    print(written)
