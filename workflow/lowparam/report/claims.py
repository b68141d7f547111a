"""Claims in print: the tables, the page, the macros for running text and the figures."""

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from lowparam import catalogue
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_TESTED, SUPPORTED
from lowparam.claims.judge import STAR, read_runs, write_claims
from lowparam.claims.registry import Registry, load_registry
from lowparam.claims.statistics import mean_interval
from lowparam.files import write_text
from lowparam.params import Params, format_size
from lowparam.report.context import Context
from lowparam.report.evidence import Evidence, format_number, format_p, rounded
from lowparam.report.table_format import LATEX, Table
from lowparam.report.write import write_figures, write_tables

__all__ = ["claims_table", "command_name", "macros", "page", "readings_table", "write_claim_report"]

VERDICTS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED)

# LaTeX allows only letters in the name of a command.
DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")

GRID = ["architecture", "probe", "budget"]

COLUMNS = ["verdict", "estimate", "low", "high", "unit", "p", "n", "paper"]
PARAGRAPHS = {1: 0.32, 6: 0.12}  # statement and unit, as shares of the line


def write_claim_report(params: Params, experiment: str) -> None:
    """Judge the claims on an experiment and write everything that is printed about them.

    ``claims.csv`` and ``claims.md`` in ``results/<experiment>``, the tables ``claims`` and ``claim_readings`` and
    ``macros.tex`` in its ``tables``, and the figures of verdicts that `catalogue` names.
    """
    registry = load_registry()
    judged = write_claims(params, experiment)
    runs = read_runs(params, experiment)
    folder = Path("results", experiment)
    context = Context(params, experiment, verdicts=judged)
    write_tables(params, experiment, "verdicts", context=context)
    write_text(folder / "tables" / "macros.tex", macros(judged, runs, params, experiment))
    of_verdicts, own = (catalogue.outputs(catalogue.FIGURES, context.subject, of) for of in ("verdicts", None))
    figures = [figure for figure in (*of_verdicts, *own) if figure.shown]
    write_text(folder / "claims.md", page(judged, registry, experiment, figures))
    write_figures(params, experiment, "verdicts", context=context)


def claims_table(judged: pd.DataFrame, registry: Registry, experiment: str) -> Table:
    """Every claim that has runs, with the verdict of its primary test."""
    primary = judged[judged["primary"].eq(True) | judged["test"].isna()]
    tested = primary[primary["verdict"].ne(NOT_TESTED)]
    rest = primary.loc[primary["verdict"].eq(NOT_TESTED), "claim"]
    statements = {claim.id: claim.statement for claim in registry.claims}
    return Table(
        name="claims",
        caption=f"The papers' claims, judged on {experiment}: primary test of each claim with its 95 % interval; p "
        f"after Holm's correction over the claims of a paper; n counts seeds. A verdict here is one on {experiment} "
        "and on no other data.",
        header=["claim", "statement", *_columns(tested)],
        rows=[[row.claim, statements[row.claim], *_cells(row, tested)] for row in tested.itertuples()],
        labels=3,
        numbers=primary,
        notes=[*_notes(tested), *([f"Not tested on {experiment}: {', '.join(rest)}."] if len(rest) else [])],
        paragraphs=PARAGRAPHS,
    )


def readings_table(judged: pd.DataFrame, registry: Registry, experiment: str) -> Table:
    """Tabulate the other tests that have runs: readings, accountings and controls."""
    chosen = judged[judged["primary"].eq(False) & judged["verdict"].ne(NOT_TESTED)]
    return Table(
        name="claim_readings",
        caption=f"Readings, accountings and controls beside the primary tests, judged on {experiment}: 95 % "
        "intervals; p after Holm's correction over the readings of a claim; n counts seeds.",
        header=["claim", "test", *_columns(chosen)],
        rows=[[row.claim, row.about, *_cells(row, chosen)] for row in chosen.itertuples()],
        labels=3,
        numbers=chosen,
        notes=_notes(chosen),
        paragraphs=PARAGRAPHS,
    )


def page(judged: pd.DataFrame, registry: Registry, experiment: str, figures: list[catalogue.Output]) -> str:
    """Write the claims as Markdown: an overview, every claim with all its tests, and the figures that were drawn."""
    first = judged[judged["primary"].eq(True) | judged["test"].isna()].set_index("claim")
    overview = [
        [f"[{claim.id}](#{claim.id.lower()})", claim.statement, _bold(first.loc[claim.id, "verdict"])]
        for claim in registry.claims
    ]
    parts = [
        f"# Claims, judged on {experiment}",
        f"Each verdict is one on {experiment}; on other data it may differ. How verdicts are made stands in "
        "[docs/claims.md](../../docs/claims.md).",
        tabulate(overview, ["claim", "statement", "verdict"], tablefmt="github", disable_numparse=True),
    ]
    for claim in registry.claims:
        tests = judged[judged["claim"] == claim.id]
        parts += [f"## {claim.id}", claim.statement]
        parts.append(f"*{registry.papers[claim.paper].reference}; {claim.source}.*")
        if claim.without_test:
            parts.append(f"**Not tested.** {claim.without_test}")
            continue
        parts.append(f"Prediction: {claim.prediction}")
        shown = [(row, Evidence(row)) for row in tests.itertuples()]
        body = [
            [_test(row), _bold(e.verdict), f"{e.estimate} {e.unit}".strip(), e.interval, e.p, e.count, e.paper]
            for row, e in shown
        ]
        header = ["test", f"verdict on {experiment}", "estimate", "95 % interval", "p (Holm)", "n", "paper"]
        parts.append(tabulate(body, header, tablefmt="github", disable_numparse=True))
        parts += [f"- `{row.test}`: {_remark(row)}" for row in tests.itertuples() if _remark(row)]
        parts += [f"- `{row.test}`: the paper's value is from {row.paper_where}." for row, e in shown if e.paper]
    parts += ["## Figures"]
    drawn = {figure.name: f"[{figure.name}](shown/{figure.name}.png): {figure.caption}" for figure in figures}
    for name in dict.fromkeys([*catalogue.known_figures("verdicts"), *drawn]):
        parts.append(f"- {drawn.get(name, f'{name}: not drawn, because the runs for it are missing.')}")
    return "\n\n".join(parts).replace("\n\n- ", "\n- ").replace("|\n- ", "|\n\n- ") + "\n"


def macros(judged: pd.DataFrame, runs: pd.DataFrame, params: Params, experiment: str) -> str:
    r"""LaTeX commands for the numbers of running text, such as ``\digitsCTwoTotalEstimate``.

    Digits in names are spelled out. Every number is rounded as in the tables.
    """
    primary = judged[judged["primary"].eq(True)]
    lines = [f"% Numbers of {experiment} for running text. Written by lowparam claims {experiment}."]

    def add(parts: list[str], value: str) -> None:
        lines.append(rf"\newcommand{{\{command_name([experiment, *parts])}}}{{{value.translate(LATEX)}}}")

    for word in VERDICTS:
        add(["claims", *word.split()], str(int((primary["verdict"] == word).sum())))
    add(["runs"], str(len(runs)))
    if experiment != STAR:
        chosen = params.experiment(experiment)
        recipe = params.recipes[chosen.recipe]
        add(["seeds"], str(runs["seed"].nunique()))
        add(["diverged"], str(int((runs["status"] == "diverged").sum())))
        add(["architectures"], str(runs["architecture"].nunique()))
        add(["budgets"], ", ".join(map(format_size, chosen.sizes)))
        add(["data"], chosen.data)
        add(["optimizer"], recipe.optimizer)
        add(["epochs"], str(recipe.epochs))
        add(["batch", "size"], str(recipe.batch_size))
        add(["learning", "rate"], f"{recipe.lr:g}")
        add(["weight", "decay"], f"{recipe.weight_decay:g}")
    for row in judged[judged["test"].notna()].itertuples():
        name = [row.claim, row.test]
        add([*name, "verdict"], row.verdict)
        if row.verdict != NOT_TESTED:
            add([*name, "estimate"], format_number(row.estimate, row.unit))
            add([*name, "low"], format_number(row.low, row.unit))
            add([*name, "high"], format_number(row.high, row.unit))
            add([*name, "p"], format_p(row.p_holm))
    if "test_accuracy" in runs:
        for (architecture, probe, budget), group in runs.groupby(GRID, sort=False):
            estimate = mean_interval(100 * group["test_accuracy"])
            name = ["accuracy", architecture, probe, budget]
            add(name, rounded(estimate.mean, 1))
            add([*name, "interval"], rounded(estimate.half_width, 1))
    return "\n".join(lines) + "\n"


def _columns(shown: pd.DataFrame) -> list[str]:
    """Columns of a table of tests; the papers' values only where there are some."""
    return COLUMNS if shown["paper_value"].notna().any() else COLUMNS[:-1]


def _cells(row, shown: pd.DataFrame) -> list[str]:
    """Return the row of a test in these columns."""
    found = Evidence(row)
    n = found.n + ("" if found.replicates in ("", "seeds") else "†")
    cells = [found.verdict, found.estimate, found.low, found.high, found.unit, found.p, n, found.paper]
    return cells[: len(_columns(shown))]


def _notes(chosen: pd.DataFrame) -> list[str]:
    others = [name for name in chosen["replicates"].dropna().unique() if name != "seeds"]
    notes = [f"† n counts {' or '.join(others)}."] if others else []
    values = chosen[chosen["paper_value"].notna()]
    if len(values):
        places = [f"{row.claim} {row.test.replace('_', ' ')}: {row.paper_where}" for row in values.itertuples()]
        notes.append(f"Where the papers' values are from: {'; '.join(places)}.")
    return notes


def _bold(word: str) -> str:
    return f"**{word}**" if word in (SUPPORTED, CONTRADICTED) else word


def _test(row) -> str:
    return f"{'primary: ' if row.primary is True else ''}{row.about} (`{row.test}`)"


def _remark(row) -> str:
    if row.verdict == NOT_TESTED:
        return f"not tested: {row.reason} Test it with `{row.command}`."
    return row.reason if isinstance(row.reason, str) else ""


def command_name(parts: list[str]) -> str:
    """Name of a LaTeX command: letters only, words in capitals, digits spelled out."""
    text = "_".join(parts)
    spelled = "".join(f"_{DIGITS[int(letter)]}_" if letter in "0123456789" else letter for letter in text)
    words = "".join(letter if letter.isalpha() else " " for letter in spelled).split()
    return words[0] + "".join(word[0].upper() + word[1:] for word in words[1:])
