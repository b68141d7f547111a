"""Text from outside, such as names of folders, is set as it was written."""

import shutil
import string
import subprocess

import matplotlib.pyplot as plt
import pytest
import torch

from lowparam.files import read_csv, write_csv
from lowparam.report.context import Profiles
from lowparam.report.escape import has_glyphs, latex, markdown, mathtext
from lowparam.report.figures import cross_talk

ODD = ["Ba$$in", "$x$", "a_b^c", r"\frac", "100 %", "two\nlines", "Ärger", "$", r"\$5$", "n" * 40]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_figure_shows_the_names_of_classes_as_they_are(tmp_path):
    arrays = {"stages.0.1.stream/cross_talk": torch.eye(len(ODD))}
    figure = cross_talk.draw(Profiles({}, {"trained": arrays}, ODD))
    figure.savefig(tmp_path / "figure.pdf")
    labels = figure.axes[0].get_yticklabels()
    shown = [label._preprocess_math(label.get_text()) for label in labels]
    assert [text for text, _ in shown] == [*(name.replace("\n", " ") for name in ODD[:-1]), "n" * 13 + "…"]
    assert not any(is_formula for _, is_formula in shown)


def test_a_class_that_the_font_cannot_write_is_shown_by_its_number():
    names = ["cat", "猫", "犬"]
    figure = cross_talk.draw(Profiles({}, {"trained": {"stages.0.1.stream/cross_talk": torch.eye(3)}}, names))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["cat", "1", "2"]
    assert not has_glyphs("猫")


def test_a_text_without_formula_is_drawn_unchanged():
    assert mathtext("mobilenetv2_x0.5") == "mobilenetv2_x0.5"
    assert mathtext("abcdef", 4) == "abc…"


def test_a_bar_does_not_begin_another_cell():
    assert markdown("a|b\nc") == r"a\|b c"


def test_a_name_that_looks_like_a_missing_value_survives_a_csv(tmp_path):
    import pandas as pd

    names = ["NA", "nan", "null", "None", "n/a", "cat"]
    write_csv(tmp_path / "names.csv", pd.DataFrame({"class": names, "share": [0.5, float("nan"), 1, 2, 3, 4]}))
    back = read_csv(tmp_path / "names.csv")
    assert back["class"].tolist() == names
    assert back["share"].isna().tolist() == [False, True, False, False, False, False]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_latex_sets_every_text(tmp_path):
    letters = string.printable + "".join(map(chr, range(0xA0, 0x250))) + "–“”…±−χ♥猫"
    lines = [latex(letters[start : start + 20]) for start in range(0, len(letters), 20)]
    body = "\n\n".join([*lines, *map(latex, ODD)])
    (tmp_path / "text.tex").write_text(rf"\documentclass{{article}}\begin{{document}}{body}\end{{document}}", "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "text.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stdout[-1500:]


def test_latex_keeps_what_it_can_set_and_numbers_the_rest():
    assert latex("50 % of $x_1$ {a}") == r"50 \% of \$x\_1\$ \{a\}"
    assert latex("Café 猫") == "Café U+732B"
