"""What is printed about claims is the same everywhere."""

import re
from pathlib import Path

import pandas as pd
import pytest

from lowparam import catalogue
from lowparam.claims.registry import load_registry
from lowparam.params import load
from lowparam.report.escape import latex
from lowparam.report.formats import format_number, format_p
from lowparam.report.verdicts.write import write_verdicts


def siunitx(text: str) -> str:
    """A number as a column of siunitx has it."""
    return latex(text).join("{}") if "∞" in text else text.replace("−", "-").replace(" ", "")


def test_the_same_number_stands_in_every_form(folder):
    statements = {claim.id: claim.statement for claim in load_registry().claims}
    judged = pd.read_csv(folder / "claims.csv")
    page = (folder / "claims.md").read_text(encoding="utf-8")
    macros = (folder / "tables/macros.tex").read_text(encoding="utf-8")
    tables = {name: (folder / f"tables/{name}.{{}}").as_posix() for name in catalogue.tables("star", "verdicts")}
    compared = 0
    for row in judged[judged["estimate"].notna()].itertuples():
        low, high = format_number(row.low, row.unit), format_number(row.high, row.unit)
        estimate, p = format_number(row.estimate, row.unit), format_p(row.p_holm)
        (line,) = [line for line in page.splitlines() if f"{row.about} (`{row.test}`)" in line]
        assert estimate in line and f"{low} to {high}" in line and p in line and row.verdict in line
        about = statements[row.claim] if row.primary else row.about
        for suffix, translated in (("md", str), ("tex", siunitx)):
            text = (
                Path(tables["claims" if row.primary else "claim_readings"].format(suffix))
                .read_text("utf-8")
                .replace(r"\allowbreak{}", "")
            )
            (line,) = [line for line in text.splitlines() if (about if suffix == "md" else latex(about)) in line]
            cells = [cell.strip() for cell in re.split(r"[|&]", line.strip("| "))]
            assert [cells[0], *cells[2:6], cells[7]] == [
                row.claim,
                row.verdict,
                *map(translated, (estimate, low, high, p)),
            ], (row.claim, row.test, suffix)
        values = re.findall(r"\\newcommand\{\\\w+Estimate\}\{(.*)\}", macros)
        assert latex(estimate) in values
        compared += 1
    assert compared > 15


def test_a_figure_without_runs_is_not_drawn_and_that_is_said(folder):
    page = (folder / "claims.md").read_text(encoding="utf-8")
    assert "ablation: not drawn, because the runs for it are missing." in page
    assert not (folder / "figures/ablation.pdf").exists()
    assert "](shown/claims.png)" in page
    for link in re.findall(r"\]\((shown/.*?)\)", page):
        assert (folder / link).exists(), link


def test_a_command_that_params_yaml_lacks_is_told(folder):
    judged = pd.read_csv(folder / "claims.csv")
    told = judged["reason"].str.contains("params.yaml has no experiment").fillna(False)
    asked = judged["command"].str.removeprefix("snakemake ")
    assert (told == (asked.notna() & ~asked.isin(["digits", "star"]))).all()


def test_macros_are_commands_that_latex_accepts(folder):
    lines = (folder / "tables/macros.tex").read_text(encoding="utf-8").splitlines()[1:]
    names = [re.fullmatch(r"\\newcommand\{\\([A-Za-z]+)\}\{.+\}", line)[1] for line in lines]
    assert len(names) == len(set(names))
    assert {"digitsCTwoTotalEstimate", "digitsAccuracyMobilenetvOneNoneTwoFiveK"} <= set(names)


def test_every_verdict_names_its_experiment(folder):
    assert pd.read_csv(folder / "claims.csv")["experiment"].eq("digits").all()
    page = (folder / "claims.md").read_text(encoding="utf-8")
    tested = [claim for claim in load_registry().claims if claim.tests]
    assert page.count("verdict on digits") == len(tested)
    assert "judged on digits" in (folder / "tables/claims.tex").read_text(encoding="utf-8")


def test_braces_balance_and_nothing_is_left_unescaped(folder):
    for path in (folder / "tables").glob("*.tex"):
        text = path.read_text(encoding="utf-8")
        assert text.count("{") == text.count("}")
        assert not re.search(r"(?<!\\)[_#^](?![0-9{\\])", re.sub(r"\\label\{.*?\}|\$.*?\$", "", text)), path


@pytest.mark.slow
def test_a_second_time_gives_the_same_files(folder, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write_verdicts(load(), "digits")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
