"""Claims in print: the tables, the page, the macros for running text and the figures."""

from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_TESTED, SUPPORTED
from lowparam.claims.judge import STAR, read_runs, write_claims
from lowparam.claims.registry import Registry, load_registry
from lowparam.claims.statistics import mean_interval
from lowparam.files import write_text
from lowparam.params import Params
from lowparam.report import contents
from lowparam.report.claim_figures import draw_claims
from lowparam.report.table import LATEX, Table

__all__ = ["claims_table", "format_number", "format_p", "macros", "page", "readings_table", "write_claim_report"]

VERDICTS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED)

# LaTeX allows only letters in the name of a command.
DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")

GRID = ["architecture", "activation", "budget"]

DIGITS_AFTER_POINT = {"points": 2, "exponent": 3, "rank correlation": 2, "logit a sd": 3, "rank / formula": 3}


def write_claim_report(params: Params, experiment: str) -> None:
    """Judge the claims on an experiment and write everything that is printed about them.

    ``claims.csv`` and ``claims.md`` in ``results/<experiment>``, the tables ``claims`` and ``claim_readings`` and
    ``macros.tex`` in its ``tables``, and the figures that `contents.claim_figures` names.
    """
    registry = load_registry()
    judged = write_claims(params, experiment)
    runs = read_runs(params, experiment)
    folder = Path("results", experiment)
    for table in (claims_table(judged, registry, experiment), readings_table(judged, registry, experiment)):
        table.write(folder / "tables", experiment)
    write_text(folder / "tables" / "macros.tex", macros(judged, runs, experiment))
    write_text(folder / "claims.md", page(judged, registry, experiment))
    names = contents.claim_figures(None if experiment == STAR else params.experiment(experiment))
    draw_claims(judged, runs, registry, names, folder / "figures")


def claims_table(judged: pd.DataFrame, registry: Registry, experiment: str) -> Table:
    """Every claim with the verdict of its primary test."""
    chosen = judged[judged["primary"].eq(True) | judged["test"].isna()]
    statements = {claim.id: claim.statement for claim in registry.claims}
    rows = [
        [row.claim, statements[row.claim], row.verdict, *_evidence(row), _paper(row)] for row in chosen.itertuples()
    ]
    return Table(
        name="claims",
        caption=f"The papers' claims, judged on {experiment}: primary test of each claim with its 95 % interval; p "
        "after Holm's correction over the claims of a paper; n counts seeds where it does not say otherwise. "
        f"A verdict here is one on {experiment} and on no other data.",
        header=["claim", "statement", "verdict", "estimate", "interval", "p", "n", "paper"],
        rows=rows,
        labels=3,
        numbers=chosen,
        notes=_notes(chosen),
        paragraphs={1: 0.3},
    )


def readings_table(judged: pd.DataFrame, registry: Registry, experiment: str) -> Table:
    """The other tests of the claims that have runs: readings, accountings and controls."""
    chosen = judged[judged["primary"].eq(False) & judged["verdict"].ne(NOT_TESTED)]
    rows = [[r.claim, r.about, r.verdict, *_evidence(r), _paper(r)] for r in chosen.itertuples()]
    return Table(
        name="claim_readings",
        caption=f"Readings, accountings and controls beside the primary tests, judged on {experiment}: 95 % "
        "intervals; p after Holm's correction over the readings of a claim.",
        header=["claim", "test", "verdict", "estimate", "interval", "p", "n", "paper"],
        rows=rows,
        labels=3,
        numbers=chosen,
        notes=_notes(chosen),
        paragraphs={1: 0.3},
    )


def page(judged: pd.DataFrame, registry: Registry, experiment: str) -> str:
    """The claims as Markdown: an overview, and every claim with all its tests."""
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
        body = [[_test(row), _bold(row.verdict), *_evidence(row), _paper(row)] for row in tests.itertuples()]
        header = ["test", f"verdict on {experiment}", "estimate", "95 % interval", "p (Holm)", "n", "paper"]
        parts.append(tabulate(body, header, tablefmt="github", disable_numparse=True))
        parts += [f"- `{row.test}`: {_remark(row)}" for row in tests.itertuples() if _remark(row)]
        parts += [
            f"- `{row.test}`: the paper's value is from {row.paper_where}." for row in tests.itertuples() if _paper(row)
        ]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ").replace("|\n- ", "|\n\n- ") + "\n"


def macros(judged: pd.DataFrame, runs: pd.DataFrame, experiment: str) -> str:
    r"""LaTeX commands for the numbers of running text, such as ``\digitsCTwoTotalEstimate``.

    Digits in names are spelled out. Every number is rounded as in the tables.
    """
    primary = judged[judged["primary"].eq(True)]
    lines = [f"% Numbers of {experiment} for running text. Written by lowparam claims {experiment}."]

    def add(parts: list[str], value: str) -> None:
        lines.append(rf"\newcommand{{\{_command([experiment, *parts])}}}{{{value.translate(LATEX)}}}")

    for word in VERDICTS:
        add(["claims", *word.split()], str(int((primary["verdict"] == word).sum())))
    add(["runs"], str(len(runs)))
    if "seed" in runs:
        add(["seeds"], str(runs["seed"].nunique()))
        add(["diverged"], str(int((runs["status"] == "diverged").sum())))
    for row in judged[judged["test"].notna()].itertuples():
        name = [row.claim, row.test]
        add([*name, "verdict"], row.verdict)
        if row.verdict != NOT_TESTED:
            add([*name, "estimate"], format_number(row.estimate, row.unit))
            add([*name, "low"], format_number(row.low, row.unit))
            add([*name, "high"], format_number(row.high, row.unit))
            add([*name, "p"], format_p(row.p_holm))
    if "test_accuracy" in runs:
        for (architecture, activation, budget), group in runs.groupby(GRID, sort=False):
            estimate = mean_interval(100 * group["test_accuracy"])
            name = ["accuracy", architecture, activation, budget]
            add(name, _rounded(estimate.mean, 1))
            add([*name, "interval"], _rounded(estimate.half_width, 1))
    return "\n".join(lines) + "\n"


def format_number(value: float, unit: str) -> str:
    """A number as it stands in every table, page and macro."""
    if pd.isna(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    if unit == "parameters":
        return f"{value:,.0f}".replace(",", " ")
    per = unit.split(" a ")[0] if unit not in DIGITS_AFTER_POINT else unit
    return _rounded(value, DIGITS_AFTER_POINT.get(per, 3))


def format_p(value: float) -> str:
    """A p value, three digits."""
    if pd.isna(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _rounded(value: float, digits: int) -> str:
    if pd.isna(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _evidence(row) -> list[str]:
    """Estimate, interval, p and n."""
    if pd.isna(row.estimate) and pd.isna(row.p):
        return ["–", "–", "–", "–"]
    estimate = f"{format_number(row.estimate, row.unit)} {row.unit}"
    interval = f"{format_number(row.low, row.unit)} to {format_number(row.high, row.unit)}"
    n = f"{row.n:.0f}" + ("" if row.replicates == "seeds" else f" {row.replicates}")
    return [estimate, interval, format_p(row.p_holm), n]


def _paper(row) -> str:
    """The paper's value with the digits that it is known to."""
    return "" if pd.isna(row.paper_value) else f"{row.paper_value:g}".replace("-", "−")


def _notes(chosen: pd.DataFrame) -> list[str]:
    notes = []
    values = chosen[chosen["paper_value"].notna()]
    if len(values):
        places = [f"{row.claim} {row.test.replace('_', ' ')}: {row.paper_where}" for row in values.itertuples()]
        notes.append(f"Where the papers' values are from: {'; '.join(places)}.")
    missing = chosen.loc[chosen["verdict"].eq(NOT_TESTED) & chosen["command"].notna(), "command"]
    if len(missing):
        notes.append(f"What has no runs here is tested by: {', '.join(sorted(set(missing)))}.")
    return notes


def _bold(word: str) -> str:
    return f"**{word}**" if word in (SUPPORTED, CONTRADICTED) else word


def _test(row) -> str:
    return f"{'primary: ' if row.primary is True else ''}{row.about} (`{row.test}`)"


def _remark(row) -> str:
    if row.verdict == NOT_TESTED:
        return f"not tested: {row.reason} Test it with `{row.command}`."
    return row.reason if isinstance(row.reason, str) else ""


def _command(parts: list[str]) -> str:
    """Name of a LaTeX command: letters only, words in capitals, digits spelled out."""
    text = "_".join(parts)
    spelled = "".join(f"_{DIGITS[int(letter)]}_" if letter in "0123456789" else letter for letter in text)
    words = "".join(letter if letter.isalpha() else " " for letter in spelled).split()
    return words[0] + "".join(word[0].upper() + word[1:] for word in words[1:])
