"""The report compiles, and no number in it was typed."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from pypdf import PdfReader

from lowparam.claims.registry import load_registry
from lowparam.errors import LowparamError
from lowparam.params import load
from lowparam.report.pages.paper import write_paper
from lowparam.report.verdicts.view import current, view

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "paper/paper.tex"


def test_it_has_the_claims_the_figures_and_the_method(paper):
    pages = PdfReader(paper).pages
    text = " ".join(" ".join(page.extract_text() for page in pages).split())
    for part in (
        "Scope",
        "Method",
        "Results: digits",
        "What was difficult",
        "Limits",
        "References",
        "Supported: C",
        "The papers' claims, judged on",
    ):
        assert part in text.replace("’", "'"), part
    assert sum(len(page.images) + (b"/Form" in str(page.get("/Resources")).encode()) for page in pages) >= 0
    assert len(pages) >= 5


def test_it_compiles_with_all_results_of_this_repository(paper, tmp_path, monkeypatch):
    """More experiments than letters, and questions on which several of them have runs."""
    for name in ("params.yaml", "recipes.yaml", "results", "docs"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "paper").mkdir()
    for name in ("paper.tex", "references.tex"):
        shutil.copy(REPOSITORY / "paper" / name, tmp_path / "paper")
    monkeypatch.chdir(tmp_path)
    text = " ".join(page.extract_text() for page in PdfReader(write_paper(load())).pages)
    test_references_stand_and_nothing_runs_off_a_page(tmp_path / "paper/paper.pdf")
    registry = load_registry()
    assert all(re.search(rf"\b{claim.id}\.", text) for claim in registry.claims), "every claim has its paragraph"


def test_references_stand_and_nothing_runs_off_a_page(paper):
    log = (paper.parent / "build/paper.log").read_text(encoding="utf-8", errors="replace")
    assert "undefined" not in log
    assert "too large for page" not in log
    wide = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert all(width < 5 for width in wide), wide


def test_the_text_has_no_numbers_of_its_own():
    """Digits stand only where they are no result: in the layout, and in names."""
    body = SOURCE.read_text(encoding="utf-8").partition(r"\begin{document}")[2]
    assert not re.search(r"\d", re.sub(r"\\ref\{.*?\}|\bC\d+\b|\bMobileNetV\d", "", body))


def test_the_same_results_give_the_same_pdf(paper, monkeypatch):
    before = paper.read_bytes()
    monkeypatch.chdir(paper.parents[1])
    write_paper(load())
    assert paper.read_bytes() == before


def test_numbers_of_the_text_come_from_the_csv_files_and_not_from_an_older_list(paper, folder, monkeypatch):
    """A macros.tex of an older version lacks the numbers that are named since, as committed ones may."""
    monkeypatch.chdir(paper.parents[1])
    before = paper.read_bytes()
    macros = folder / "tables/macros.tex"
    text = macros.read_text(encoding="utf-8")
    older = [line for line in text.splitlines() if not re.search("Untrained|NotComparable", line)]
    macros.write_text("\n".join(older), encoding="utf-8")
    write_paper(load())
    macros.write_text(text, encoding="utf-8")
    assert paper.read_bytes() == before
    built = (paper.parent / "build/macros/digits.tex").read_text(encoding="utf-8")
    assert built == text


def test_verdicts_on_a_test_that_is_gone_get_one_line(folder, monkeypatch):
    judged = pd.read_csv(folder / "claims.csv").replace({"test": {"rank": "gone"}})
    with pytest.raises(LowparamError, match=r"claims.csv has the test C1 gone, .* run lowparam claims digits") as error:
        view(judged, load_registry())
    assert "\n" not in str(error.value)


def test_pages_over_all_experiments_leave_tests_that_are_gone_out(folder):
    judged = pd.read_csv(folder / "claims.csv")
    older = judged.replace({"test": {"rank": "gone"}})
    kept = current(older, load_registry())
    assert len(kept) == len(judged) - judged["test"].eq("rank").sum() and "gone" not in set(kept["test"])


def test_without_latex_one_line_says_what_to_install(folder, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LowparamError, match=r"apt-get install .*texlive-science"):
        write_paper(load())


def test_a_mistake_in_the_text_is_told_in_one_line(paper, monkeypatch):
    monkeypatch.chdir(paper.parents[1])
    source = paper.parent / "paper.tex"
    text = source.read_text(encoding="utf-8")
    before = paper.read_bytes()
    source.write_text(text.replace(r"\maketitle", r"\notacommand"), encoding="utf-8")
    with pytest.raises(LowparamError, match="Undefined control sequence") as error:
        write_paper(load())
    assert "\n" not in str(error.value)
    assert paper.read_bytes() == before
    source.write_text(text, encoding="utf-8")
