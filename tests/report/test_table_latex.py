"""Tables in LaTeX fit the page, name their packages, and are never empty."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lowparam.claims.statistics import Estimate
from lowparam.files import read_csv
from lowparam.report.formats import Cell
from lowparam.report.table_format import Table
from lowparam.report.table_latex import TEXT, _pages, _pieces, _shrink, text_width

ROOT = Path(__file__).parents[2]
COMMITTED = sorted(path for path in ROOT.glob("results/*/tables/*.tex") if path.stem != "macros")
WIDEST = 5.0  # points beyond the text
TABLES = {
    "eight budgets": {
        "labels": ["MobileNetV2 block, depthwise in the hidden space", "SoLU (S1), layer norm"],
        "numbers": 8,
    },
    "fifteen columns": {"labels": ["ConvNeXt"], "numbers": 15},
    "thirty columns": {"labels": ["ConvNeXt V2, layer norm, a_variant", "own activation"], "numbers": 30, "digits": 2},
    "long titles": {"labels": ["p"], "numbers": 9, "title": "features per dimension, trained"},
    "a long name": {"labels": ["timm:" + "a_very_long_name_of_a_network." * 4, "own activation"], "numbers": 3},
    "an unbreakable name": {"labels": ["x" * 120, "W" * 60], "numbers": 2},
    "a sentence": {
        "labels": ["zalandoresearch/fashion-mnist, README (submitted, not tested by the maintainers)"] * 2,
        "numbers": 4,
    },
    "marks": {"labels": ["ConvNeXt"], "numbers": 8, "mark": "†‡"},
    "many labels": {"labels": ["a label of some length"] * 7, "numbers": 5},
    "running text": {
        "labels": ["C1", "A sentence that is longer than a line of the table. " * 3],
        "numbers": 7,
        "paragraphs": {1: 0.4},
    },
    "many rows": {"labels": ["ConvNeXt"], "numbers": 2, "times": 60},
    "many rows of running text": {
        "labels": ["C1", "A sentence that is longer than a line of the table. " * 9],
        "numbers": 7,
        "paragraphs": {1: 0.3},
        "times": 15,
    },
}


def made(labels, numbers, digits=1, title="budget", mark="", paragraphs=None, times=1) -> Table:
    cells = [Cell(Estimate(-93.14, 10.41, 3), digits, best=True, mark=mark), Cell(Estimate(7.0, np.nan, 1), digits)]
    return Table(
        header=[*(f"label {k}" for k in range(len(labels))), *(f"{title} {k}" for k in range(numbers))],
        rows=[[*labels, *[cell] * numbers] for cell in cells * times],
        labels=len(labels),
        numbers=pd.DataFrame(),
        paragraphs=paragraphs or {},
        caption="Of something.",
        name="some",
    )


@pytest.mark.parametrize("name", TABLES)
def test_by_estimate_a_table_is_no_wider_than_the_text(name):
    table = made(**TABLES[name])
    how = table.arrangement()
    assert how.width <= TEXT + 0.1
    count = len(TABLES[name]["labels"])
    assert all(set(range(count)) <= set(group) for group in how.groups), "labels are in every part"
    shown = [place for group in how.groups for place in group if place >= count]
    assert shown == list(range(count, len(table.header))), "every column is in one part, in order"
    assert table.latex("digits").startswith("% Packages that this table needs: booktabs, siunitx (version 3)")


def test_a_small_table_stays_as_it_is():
    how = made(labels=["ConvNeXt"], numbers=2).arrangement()
    assert not (how.over_both or how.small or how.shares) and len(how.groups) == 1


def test_the_widest_texts_become_narrower_first():
    assert _shrink({0: 100, 1: 300, 2: 200}, {0: 50, 1: 50, 2: 50}, 400) == {0: 100, 1: 150, 2: 150}
    assert _shrink({0: 100, 1: 300}, {0: 50, 1: 250}, 320) == {0: pytest.approx(70), 1: 250}
    assert _shrink({0: 100, 1: 100}, {0: 50, 1: 50}, 300) == {0: 100, 1: 100}


def test_texts_break_after_signs_and_within_what_is_long():
    assert _pieces("cross-talk of chi") == ["cross-talk ", "of ", "chi"], "short words stay whole"
    assert _pieces("a_long/name_of-a_network d") == ["a_", "long/", "name_", "of-", "a_", "network ", "d"]
    assert _pieces("") == [""], "an empty cell stays one"
    assert max(map(len, _pieces("x" * 100))) <= 16 and "".join(_pieces("x" * 100)) == "x" * 100


def test_a_table_without_rows_is_none():
    empty = Table(header=["claim"], rows=[], labels=1, numbers=pd.DataFrame(), caption="Of claims.", name="claims")
    assert "tabular" not in empty.latex("digits") and empty.latex("digits").startswith("%")
    assert "There are no rows." in empty.markdown() and "<table>" not in empty.html()


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([], [0]),
        ([1] * 36, [36]),
        ([1] * 37, [36, 1]),
        ([10, 10, 10, 10, 10], [3, 2]),
        ([50, 1, 50], [1, 1, 1]),  # a row that is too high by itself stands alone
    ],
)
def test_a_page_has_as_many_lines_as_fit(heights, expected):
    pages = [range(len(heights))[page] for page in _pages(heights)]
    assert [len(page) for page in pages] == expected
    assert [row for page in pages for row in page] == list(range(len(heights))), "each row is on one page"


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_committed_table_has_rows_and_names_its_packages(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("% Packages that this table needs: booktabs")
    bodies = re.findall(r"\\midrule\n(.*?) *\\bottomrule", text, re.DOTALL)
    assert bodies and all(body.strip() for body in bodies)
    assert len(read_csv(path.with_suffix(".csv"))) > 0


@pytest.fixture
def compiled(tmp_path):
    """A function that compiles files in a two-column paper and returns how far lines reach beyond theirs, by file."""
    if shutil.which("pdflatex") is None:
        assert "LOWPARAM_NEEDS_LATEX" not in os.environ, "CI must have pdflatex"
        pytest.skip("no LaTeX is installed")

    def compile_all(files: list[Path]) -> dict[str, list[float]]:
        inputs = "".join(rf"\message{{(({file})}}\input{{{file}}}\clearpage" + "\n" for file in files)
        (tmp_path / "all.tex").write_text(
            r"\documentclass[10pt,twocolumn]{article}\usepackage[a4paper,margin=2.2cm]{geometry}"
            rf"\usepackage{{booktabs,siunitx,array}}\begin{{document}}{inputs}\end{{document}}",
            encoding="utf-8",
        )
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "all.tex"]
        environment = os.environ | {"max_print_line": "1000"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
        log = (tmp_path / "all.log").read_text(encoding="utf-8", errors="replace")
        assert done.returncode == 0, log[-1500:]
        assert "too large for page" not in log
        found: dict[str, list[float]] = {}
        for part in log.split("((")[1:]:
            wide = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", part)]
            found.setdefault(part.split(")")[0].split()[0], []).extend(wide)
        return found

    return compile_all


def test_latex_finds_every_committed_table_in_the_text(compiled):
    found = compiled(COMMITTED)
    assert len(found) == len(COMMITTED)
    assert {file: wide for file, wide in found.items() if max(wide, default=0) > WIDEST} == {}


def test_latex_finds_tables_of_any_content_in_the_text(compiled, tmp_path):
    for place, given in enumerate(TABLES.values()):
        (tmp_path / f"table{place}.tex").write_text(made(**given).latex("digits"), encoding="utf-8")
    found = compiled([tmp_path / f"table{place}.tex" for place in range(len(TABLES))])
    assert {file: wide for file, wide in found.items() if max(wide, default=0) > WIDEST} == {}


def test_the_estimate_is_that_of_the_fonts():
    """The widths are those of TeX, in Computer Modern at 10 points."""
    for text, true in (("123456789", 45.0), ("own activation", 63.9), ("MobileNetV1", 58.1)):
        assert true * 0.95 <= text_width(text) <= true * 1.3
