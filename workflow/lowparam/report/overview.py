"""All claims over all experiments that were judged: one verdict an experiment, and none is carried to other data."""

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_TESTED, SUPPORTED
from lowparam.claims.judge import STAR
from lowparam.claims.registry import Registry, load_registry
from lowparam.errors import LowparamError
from lowparam.files import read_csv, write_text
from lowparam.params import Params
from lowparam.report.table_format import Table

__all__ = ["judged_experiments", "overview_page", "overview_table", "read_verdicts", "write_overview"]

WORDS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE)


def write_overview(params: Params) -> None:
    """Write ``results/claims.md`` from the claims of every experiment that was judged.

    Raises
    ------
    LowparamError
        If none was.
    """
    write_text(Path("results", "claims.md"), overview_page(read_verdicts(params), load_registry()))


def judged_experiments(params: Params) -> list[str]:
    """Experiments of params.yaml, and star, that have verdicts, in that order."""
    return [name for name in (*params.experiments, STAR) if Path("results", name, "claims.csv").exists()]


def read_verdicts(params: Params) -> pd.DataFrame:
    """Read claims.csv of every experiment that was judged; ``place`` says where a verdict holds.

    Raises
    ------
    LowparamError
        If none was judged.
    """
    tables = []
    for name in judged_experiments(params):
        data = None if name == STAR else params.experiment(name).data
        place = "star (exact ranks)" if data is None else name if name == data else f"{name} ({data})"
        tables.append(read_csv(Path("results", name, "claims.csv")).assign(experiment=name, place=place))
    if not tables:
        raise LowparamError("no experiment has verdicts yet; run snakemake first")
    return pd.concat(tables, ignore_index=True)


def overview_table(verdicts: pd.DataFrame, registry: Registry) -> Table:
    """Every claim with the experiments on which its primary test gave which verdict."""
    primary = verdicts[verdicts["primary"].eq(True)]
    rows = []
    for claim in registry.claims:
        found = primary[primary["claim"] == claim.id]
        rows.append([claim.id, claim.statement, *(_names(found, word) or "–" for word in WORDS)])
    return Table(
        name="overview",
        caption="The papers' claims, and the experiments on which the primary test of each gave a verdict, in brackets "
        "their data. A verdict holds there and nowhere else; none of these data are ImageNet unless "
        "it is named.",
        header=["claim", "statement", *(f"{word} on" for word in WORDS)],
        rows=rows,
        labels=len(WORDS) + 2,
        numbers=primary[["experiment", "place", "claim", "test", "verdict"]],
        paragraphs={1: 0.34, **dict.fromkeys(range(2, len(WORDS) + 2), 0.17)},
    )


def overview_page(verdicts: pd.DataFrame, registry: Registry) -> str:
    """Write the overview as Markdown, and below it every test with the experiments that have its runs."""
    places = verdicts.drop_duplicates("experiment")
    parts = [
        "# Claims over all experiments",
        "A verdict holds for the experiment that it was made on, on the data in brackets. "
        "How verdicts are made stands in [docs/claims.md](../docs/claims.md).",
        "Judged: " + ", ".join(f"[{row.place}]({row.experiment}/claims.md)" for row in places.itertuples()) + ".",
    ]
    primary = verdicts[verdicts["primary"].eq(True)]
    rows = [
        [f"[{claim.id}](#{claim.id.lower()})", claim.statement, *_cells(primary[primary["claim"] == claim.id])]
        for claim in registry.claims
    ]
    header = [f"{word} on" for word in WORDS]
    parts.append(tabulate(rows, ["claim", "primary test of", *header], tablefmt="github", disable_numparse=True))
    for claim in registry.claims:
        parts += [f"## {claim.id}", claim.statement]
        if claim.without_test:
            parts.append(f"**Not tested.** {claim.without_test}")
            continue
        rows = []
        for test in claim.tests:
            found = verdicts[(verdicts["claim"] == claim.id) & (verdicts["test"] == test.id)]
            tested = found["verdict"].ne(NOT_TESTED).any()
            cells = _cells(found) if tested else [f"not tested: `snakemake {test.run}`", "", ""]
            rows.append([f"{'primary: ' if test.primary else ''}{test.about} (`{test.id}`)", *cells])
        parts.append(tabulate(rows, ["test", *header], tablefmt="github", disable_numparse=True))
    return "\n\n".join(parts) + "\n"


def _names(found: pd.DataFrame, word: str) -> str:
    return ", ".join(found.loc[found["verdict"] == word, "place"])


def _cells(found: pd.DataFrame) -> list[str]:
    """List the experiments of each verdict, with links to their pages."""
    links = found["place"].radd("[") + "](" + found["experiment"] + "/claims.md#" + found["claim"].str.lower() + ")"
    return [", ".join(links[found["verdict"] == word]) for word in WORDS]
