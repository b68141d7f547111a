"""All claims over all experiments that were judged; a verdict applies to the data of its experiment only."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lowparam import paths
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE, NOT_TESTED, SUPPORTED
from lowparam.claims.registry import Registry, load_registry
from lowparam.claims.subjects import judged_subjects
from lowparam.errors import LowparamError
from lowparam.files import atomic, read_csv, write_text
from lowparam.params import Params
from lowparam.report.figures.claims import COLOURS, SHAPES
from lowparam.report.formats import enumerate_words
from lowparam.report.style import in_style
from lowparam.report.table_format import Table, markdown_grid
from lowparam.report.verdicts.chosen_reading import read_readings, section

__all__ = ["overview_figure", "overview_page", "overview_table", "read_verdicts", "summary", "write_overview"]

WORDS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE)


def write_overview(params: Params) -> None:
    """Write ``results/claims.md``, and the figure in it, from the claims of every experiment that was judged.

    Raises
    ------
    LowparamError
        If none was.
    """
    verdicts, registry = read_verdicts(params), load_registry()
    with in_style(), atomic(paths.OVERVIEW_FIGURE) as path:
        figure = overview_figure(verdicts, registry)
        figure.savefig(path, format="png", dpi=150, metadata={"Software": None})
        plt.close(figure)
    write_text(paths.OVERVIEW, overview_page(verdicts, registry, read_readings(params)))


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


def overview_page(verdicts: pd.DataFrame, registry: Registry, readings: pd.DataFrame) -> str:
    """Write the overview as Markdown, and below it every test with the experiments that have its runs.

    Parameters
    ----------
    verdicts : DataFrame
        What `read_verdicts` returned.
    registry : Registry
        The claims.
    readings : DataFrame
        What `lowparam.report.verdicts.chosen_reading.read_readings` returned.
    """
    places = verdicts.drop_duplicates("experiment")
    parts = [
        "# Claims over all experiments",
        "A verdict applies to the experiment that it was computed on, with the data in brackets. "
        "[docs/claims.md](../docs/claims.md) explains how verdicts are computed.",
        "Judged: " + ", ".join(f"[{row.place}]({row.experiment}/claims.md)" for row in places.itertuples()) + ".",
    ]
    primary = verdicts[verdicts["primary"].eq(True)]
    judged = [claim for claim in registry.claims if not claim.without_test]
    parts.append("\n".join(f"- [{claim.id}](#{claim.id.lower()}): {summary(primary, claim.id)}" for claim in judged))
    parts.append(f"![Verdict of each claim on each experiment]({paths.OVERVIEW_FIGURE.name})")
    rows = [
        [f"[{claim.id}](#{claim.id.lower()})", claim.statement, *_cells(primary[primary["claim"] == claim.id])]
        for claim in registry.claims
    ]
    header = [f"{word} on" for word in WORDS]
    parts += [markdown_grid(rows, ["claim", "primary test of", *header]), section(readings)]
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
        parts.append(markdown_grid(rows, ["test", *header]))
    return "\n\n".join(parts) + "\n"


def summary(primary: pd.DataFrame, claim: str) -> str:
    """Sum up in a sentence what the primary tests of a claim gave, and on which data.

    Experiments on one data set are counted together, because they share its images; the more of them, the more ways
    of asking.

    Parameters
    ----------
    primary : DataFrame
        The rows of primary tests that `read_verdicts` returned.
    claim : str
        Its id.
    """
    of_claim = primary[primary["claim"].eq(claim) & primary["verdict"].isin(WORDS)]
    words = [word for word in WORDS if of_claim["verdict"].eq(word).any()]
    if not words:
        return "**not tested** on any data."
    places = [f"**{word}** on {_data(of_claim.loc[of_claim['verdict'] == word, 'place'])}" for word in words]
    return f"{'mixed: ' if {SUPPORTED, CONTRADICTED} <= set(words) else ''}{', '.join(places)}."


def _data(places: pd.Series) -> str:
    """Name the data sets of experiments, each with the number of experiments on it if there are several."""
    counts = places.str.extract(r"\((.*)\)$")[0].fillna(places).value_counts(sort=False)
    return enumerate_words(f"{data} ({count} experiments)" if count > 1 else data for data, count in counts.items())


def overview_figure(verdicts: pd.DataFrame, registry: Registry) -> Figure:
    """Draw a square for the verdict of each claim's primary test on each experiment, by colour and by sign."""
    primary = verdicts[verdicts["primary"].eq(True) & verdicts["verdict"].isin(WORDS)]
    places = [place for place in dict.fromkeys(verdicts["place"]) if place in set(primary["place"])]
    claims = [claim.id for claim in registry.claims if claim.id in set(primary["claim"])]
    figure, ax = plt.subplots(figsize=(1.6 + 0.3 * len(places), 2.0 + 0.19 * len(claims)), layout="constrained")
    for word in WORDS:
        rows = primary[primary["verdict"] == word]
        x, y = [places.index(place) for place in rows["place"]], [claims.index(claim) for claim in rows["claim"]]
        ax.scatter(x, y, s=55, color=COLOURS[word], marker=SHAPES[word], label=word)
    ax.set_xticks(range(len(places)), places, rotation=90)
    ax.set_yticks(range(len(claims)), claims)
    ax.set_xlim(-0.6, len(places) - 0.4)
    ax.set_ylim(len(claims) - 0.4, -0.6)
    ax.grid(visible=True, linewidth=0.3)
    ax.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _names(verdicts: pd.DataFrame, word: str) -> str:
    return ", ".join(verdicts.loc[verdicts["verdict"] == word, "place"])


def _cells(verdicts: pd.DataFrame) -> list[str]:
    """List the experiments of each verdict, with links to their pages."""
    pages = verdicts["experiment"] + "/claims.md#" + verdicts["claim"].str.lower()
    links = "[" + verdicts["place"] + "](" + pages + ")"
    return [", ".join(links[verdicts["verdict"] == word]) for word in WORDS]
