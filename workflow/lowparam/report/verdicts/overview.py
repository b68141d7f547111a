"""All claims over all experiments that were judged; a verdict applies to the data of its experiment only."""

import pandas as pd
from tabulate import tabulate

from lowparam import paths
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE, NOT_TESTED, SUPPORTED
from lowparam.claims.registry import Registry, load_registry
from lowparam.claims.subjects import judged_subjects
from lowparam.errors import LowparamError
from lowparam.files import read_csv, write_text
from lowparam.params import Params
from lowparam.report.escape import markdown
from lowparam.report.table_format import Table

__all__ = ["overview_page", "overview_table", "read_verdicts", "write_overview"]

WORDS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE)


def write_overview(params: Params) -> None:
    """Write ``results/claims.md`` from the claims of every experiment that was judged.

    Raises
    ------
    LowparamError
        If none was.
    """
    write_text(paths.OVERVIEW, overview_page(read_verdicts(params), load_registry()))


def read_verdicts(params: Params) -> pd.DataFrame:
    """Read claims.csv of every experiment and study that was judged.

    Returns
    -------
    DataFrame
        `lowparam.claims.judge.COLUMNS` and ``place``: the name in print, with the data in brackets.

    Raises
    ------
    LowparamError
        If none was judged.
    """
    tables = [
        read_csv(paths.claims(subject.name)).assign(experiment=subject.name, place=subject.place)
        for subject in judged_subjects(params)
    ]
    if not tables:
        raise LowparamError("no experiment has verdicts yet; run: lowparam run")
    return pd.concat(tables, ignore_index=True)


def overview_table(verdicts: pd.DataFrame, registry: Registry) -> Table:
    """Tabulate, for every claim, the experiments on which its primary test gave each verdict."""
    primary = verdicts[verdicts["primary"].eq(True)]
    rows = []
    for claim in registry.claims:
        of_claim = primary[primary["claim"] == claim.id]
        rows.append([claim.id, claim.statement, *(_names(of_claim, word) or "–" for word in WORDS)])
    return Table(
        name="overview",
        caption="The papers' claims, and the experiments on which the primary test of each gave a verdict, with their "
        "data in brackets. A verdict applies to these data only; none of them are ImageNet unless it is named.",
        header=["claim", "statement", *(f"{word} on" for word in WORDS)],
        rows=rows,
        labels=len(WORDS) + 2,
        numbers=primary[["experiment", "place", "claim", "test", "verdict"]],
        paragraphs={1: 0.3, **dict.fromkeys(range(2, len(WORDS) + 2), 0.14)},
    )


def overview_page(verdicts: pd.DataFrame, registry: Registry) -> str:
    """Write the overview as Markdown, and below it every test with the experiments that have its runs."""
    places = verdicts.drop_duplicates("experiment")
    parts = [
        "# Claims over all experiments",
        "A verdict applies to the experiment that it was computed on, with the data in brackets. "
        "[docs/claims.md](../docs/claims.md) explains how verdicts are computed.",
        "Judged: " + ", ".join(f"[{row.place}]({row.experiment}/claims.md)" for row in places.itertuples()) + ".",
    ]
    primary = verdicts[verdicts["primary"].eq(True)]
    rows = [
        [f"[{claim.id}](#{claim.id.lower()})", claim.statement, *_cells(primary[primary["claim"] == claim.id])]
        for claim in registry.claims
    ]
    header = [f"{word} on" for word in WORDS]
    parts.append(_table(rows, ["claim", "primary test of", *header]))
    for claim in registry.claims:
        parts += [f"## {claim.id}", claim.statement]
        if claim.without_test:
            parts.append(f"**Not tested.** {claim.without_test}")
            continue
        rows = []
        for test in claim.tests:
            of_test = verdicts[(verdicts["claim"] == claim.id) & (verdicts["test"] == test.id)]
            tested = of_test["verdict"].ne(NOT_TESTED).any()
            cells = (
                _cells(of_test) if tested else [f"not tested: `snakemake {test.experiment}`", *[""] * (len(WORDS) - 1)]
            )
            rows.append([f"{'primary: ' if test.primary else ''}{test.about} (`{test.id}`)", *cells])
        parts.append(_table(rows, ["test", *header]))
    return "\n\n".join(parts) + "\n"


def _table(rows: list[list[str]], header: list[str]) -> str:
    cells = [[markdown(cell) for cell in row] for row in rows]
    return tabulate(cells, header, tablefmt="github", disable_numparse=True)


def _names(verdicts: pd.DataFrame, word: str) -> str:
    return ", ".join(verdicts.loc[verdicts["verdict"] == word, "place"])


def _cells(verdicts: pd.DataFrame) -> list[str]:
    """List the experiments of each verdict, with links to their pages."""
    pages = verdicts["experiment"] + "/claims.md#" + verdicts["claim"].str.lower()
    links = "[" + verdicts["place"] + "](" + pages + ")"
    return [", ".join(links[verdicts["verdict"] == word]) for word in WORDS]
