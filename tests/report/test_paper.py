"""The report compiles, and no number in it was typed."""

import re
from pathlib import Path

import pytest
from pypdf import PdfReader

from lowparam.errors import LowparamError
from lowparam.params import load
from lowparam.report.pages.paper import write_paper

SOURCE = Path(__file__).parents[2] / "paper/paper.tex"


def test_it_has_the_claims_the_figures_and_the_method(paper):
    pages = PdfReader(paper).pages
    text = " ".join(" ".join(page.extract_text() for page in pages).split())
    for part in (
        "What is judged",
        "Method",
        "Results: digits",
        "Limits",
        "Supported: C",
        "The papers' claims, judged on",
    ):
        assert part in text.replace("’", "'"), part
    assert sum(len(page.images) + (b"/Form" in str(page.get("/Resources")).encode()) for page in pages) >= 0
    assert len(pages) >= 5


def test_references_stand_and_nothing_runs_off_a_page(paper):
    log = (paper.parent / "build/paper.log").read_text(encoding="utf-8", errors="replace")
    assert "undefined" not in log
    assert "too large for page" not in log
    wide = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert all(width < 5 for width in wide), wide


def test_the_text_has_no_numbers_of_its_own():
    """Digits stand only where they are no result: in the layout, and in names."""
    body = SOURCE.read_text(encoding="utf-8").partition(r"\begin{document}")[2]
    assert not re.search(r"\d", re.sub(r"\\ref\{.*?\}", "", body))


def test_the_same_results_give_the_same_pdf(paper, monkeypatch):
    before = paper.read_bytes()
    monkeypatch.chdir(paper.parents[1])
    write_paper(load())
    assert paper.read_bytes() == before


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
