"""Numbers, tables and pictures look the same wherever they are printed."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lowparam.claims.statistics import Estimate
from lowparam.report.formats import Cell, format_number, format_p, format_spread, rounded
from lowparam.report.style import in_style, quantised, save
from lowparam.report.table_format import Table

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.25, 1, "1.2"),
        (-0.04, 1, "0.0"),
        (-0.06, 1, "−0.1"),
        (0.0, 0, "0"),
        (NAN, 2, "–"),
        (float("inf"), 1, "∞"),
        (-float("inf"), 1, "−∞"),
    ],
)
def test_numbers_are_rounded_with_a_true_minus(value, digits, text):
    assert rounded(value, digits) == text
    assert Cell(Estimate(value, NAN, 1), digits).plain() == text


def test_estimates_have_the_digits_of_their_unit():
    assert format_number(24_993.4, "parameters") == "24 993"
    assert format_number(-1.234, "points") == "−1.23"
    assert format_number(float("inf"), "parameters") == "∞"
    assert format_number(NAN, "points") == "–"
    assert [format_p(p) for p in (0.0004, 0.05, NAN)] == ["< 0.001", "0.050", "–"]


def test_cells_show_mean_interval_and_mark():
    cell = Cell(Estimate(93.14, 0.41, 3), 1, best=True, mark="†")
    assert (cell.plain(), cell.markdown()) == ("93.1 ± 0.4†", "**93.1** ± 0.4†")
    assert format_spread(Estimate(93.14, 0.41, 3), 1) == "93.1 ± 0.4"
    assert Cell(Estimate(NAN, NAN, 0)).plain() == "–"


def table(**more) -> Table:
    cells = ["a < b & c", Cell(Estimate(0.5, 0.1, 3), 2, best=True)]
    return Table(header=["name", "r"], rows=[cells], labels=1, numbers=pd.DataFrame(), caption="Of <all>.", **more)


def test_html_has_the_same_text_as_markdown_and_escapes_it():
    html = table(notes=["Note & end."]).html()
    assert "<td>a &lt; b &amp; c</td>" in html
    assert '<td class="number"><strong>0.50</strong> ± 0.10</td>' in html
    assert "<p>Of &lt;all&gt;.</p>" in html and "<p>Note &amp; end.</p>" in html
    assert "| a < b & c | **0.50** ± 0.10 |" in " ".join(table().markdown().split())


def test_columns_of_text_may_wrap():
    assert '<td class="wide">a' in table(paragraphs={0: 0.5}).html()


@pytest.mark.parametrize("heat_map", [False, True])
def test_pictures_keep_their_look_with_a_palette(heat_map):
    with in_style():
        figure, ax = plt.subplots(figsize=(2, 1.5))
        values = np.linspace(-1, 1, 900).reshape(30, 30)
        if heat_map:
            ax.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
        else:
            for shift in range(6):
                ax.plot(values[0] + shift)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=100)
        plt.close(figure)
    before = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    after = np.asarray(quantised(picture, heat_map=heat_map).convert("RGB")).astype(int)
    off = np.abs(before - after).max(axis=2)
    assert (off > 24).mean() < 0.01
    assert (after[0, 0] == 255).all()
    if heat_map:
        assert off.max() <= 8, "the ends of a colour map must keep their colours"


def test_equal_figures_are_equal_files(tmp_path):
    for name in ("one", "two"):
        with in_style():
            figure, ax = plt.subplots(figsize=(2, 1.5))
            ax.plot([0, 1])
            save(figure, tmp_path, name)
    for suffix in ("pdf", "png"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
