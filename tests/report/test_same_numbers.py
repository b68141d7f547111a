"""A number is the same in claims.csv, the macros, the tables, the Markdown, the HTML page and the PDF."""

import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from lowparam.report.formats import format_number, format_p
from lowparam.report.verdicts.macros import command_name

ACCURACY = re.compile(r"(\d+\.\d)[* ]*± ?(\d+\.\d)")


@pytest.fixture(scope="module")
def judged(folder):
    """Tests that have numbers, with these as they should be printed, without spaces."""
    found = pd.read_csv(folder / "claims.csv")
    found = found[found["test"].notna() & found["verdict"].ne("not tested")]
    for key in ("estimate", "low", "high"):
        found[f"{key}_text"] = [squeezed(format_number(v, u)) for v, u in zip(found[key], found["unit"], strict=True)]
    return found.assign(p_text=found["p_holm"].map(format_p).map(squeezed))


@pytest.fixture(scope="module")
def pdf(paper):
    return squeezed("".join(page.extract_text() for page in PdfReader(paper).pages))


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_rounding_is_the_only_difference_from_the_source(judged):
    """What is printed is the unrounded number to the digits that are printed."""
    for row in judged.itertuples():
        for value, text in ((row.estimate, row.estimate_text), (row.low, row.low_text), (row.high, row.high_text)):
            if np.isfinite(value):
                digits = len(text.partition(".")[2])
                assert abs(float(text.replace("−", "-")) - value) <= 0.5001 * 10**-digits
    assert len(judged) > 20


def test_markdown(judged, folder):
    lines = (folder / "claims.md").read_text(encoding="utf-8").splitlines()
    for row in judged.itertuples():
        (line,) = [line for line in lines if f"{row.about} (`{row.test}`)" in line]
        cells = [squeezed(cell).strip("*") for cell in line.strip("|").split("|")]
        assert cells[1:5] == [
            squeezed(row.verdict),
            squeezed(row.estimate_text + row.unit),
            f"{row.low_text}to{row.high_text}",
            row.p_text,
        ]


def test_html(judged, folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    for row in judged.itertuples():
        section = re.search(rf'<section class="test" id="{row.claim}-{row.test}">(.*?)</section>', text, re.DOTALL)[1]
        values = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", section))
        assert squeezed(unescape(values["estimate"])) == squeezed(row.estimate_text + row.unit)
        assert squeezed(unescape(values["95 % interval"])) == f"{row.low_text}to{row.high_text}"
        assert squeezed(unescape(values["p after Holm"])) == row.p_text
        assert values["n"].startswith(f"{row.n:.0f} ")


def test_macros(judged, folder):
    text = (folder / "tables/macros.tex").read_text(encoding="utf-8")
    values = dict(re.findall(r"\\newcommand\{\\(\w+)\}\{(.*)\}", text))
    for row in judged.itertuples():
        for key in ("estimate", "low", "high", "p"):
            found = values[command_name(["digits", row.claim, row.test, key])]
            found = found.replace("$-$", "−").replace("$<$", "<").replace(r"$\infty$", "∞")
            assert squeezed(found) == getattr(row, f"{key}_text")


def test_pdf(judged, pdf):
    """Tables, which come from the .tex files, and running text, which comes from the macros."""
    for row in judged.itertuples():
        assert squeezed(row.verdict) + row.estimate_text + row.low_text + row.high_text in pdf, (row.claim, row.test)
        if " " not in row.unit:
            assert row.high_text + row.unit + row.p_text in pdf, (row.claim, row.test)
        if row.primary:
            said = f"{row.claim}({row.estimate_text}{row.unit},{row.low_text}to{row.high_text})"
            assert squeezed(said) in pdf, said


def test_accuracies(folder, pdf):
    """The table of accuracies is the same in every form, and the macros have its numbers."""
    table = (folder / "tables/accuracy.md").read_text(encoding="utf-8")
    printed = ACCURACY.findall(table)
    assert len(printed) == 2 * 6 * 4 - 1  # one scale has a diverged run and no mean
    html = unescape((folder / "report.html").read_text(encoding="utf-8"))
    html = re.search(r'id="table-accuracy">(.*?)</section>', html, re.DOTALL)[1]
    assert ACCURACY.findall(re.sub(r"<.*?>", "", html)) == printed
    latex = (folder / "tables/accuracy.tex").read_text(encoding="utf-8")
    assert re.findall(r"(\d+\.\d) \+- (\d+\.\d)", latex) == printed
    macros = (folder / "tables/macros.tex").read_text(encoding="utf-8")
    means = re.findall(r"Accuracy\w+K\}\{(\d+\.\d)\}", macros)
    assert means == [mean for mean, _ in printed]
    for mean, half in printed:
        assert f"{mean}±{half}" in pdf
