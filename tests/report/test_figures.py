"""Every figure can be read, however many architectures, budgets and probes there are and however badly they trained."""

import warnings
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.text import Text

from figures import MAKERS, Case, draw
from lowparam.claims.statistics import Estimate
from lowparam.registry import entries
from lowparam.report.layout import HOLLOW, TEXT_WIDTH, draw_means, shifts, size_axis, value_axis
from lowparam.report.style import in_style, looks

CASES = {
    "one": Case(1, 1, 1, 1),
    "eleven of one budget, wide": Case(11, 1, 2, wide=True),
    "thirty, some diverged": Case(30, 3, 4, missing=0.1),
    "half untrained": Case(4, 2, untrained_from=0.5),
    "all diverged": Case(3, 6, missing=1.0),
}
MORE = {"six": Case(6, 6), "thirty of six budgets": Case(30, 6, 7), "wide": Case(6, 4, wide=True)}
FIXED = {"dimension", "geometry", "grams", "moons_boundaries", "moons_placement", "phase"}
"""Figures of studies, which always have the same content."""


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def seen(ax):
    return ax.axison and ax.get_label() != "<colorbar>"


def texts(figure):
    """Every text that is drawn, with its box; ticks beyond the limits of an axis are not."""
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent()
            found.append((text, box))
    outside = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            apart = 1e-9 * (high - low)
            drawn = {id(tick) for tick in axis._update_ticks()}
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if id(tick) not in drawn or not low - apart <= tick.get_loc() <= high + apart or not ax.axison:
                    outside |= {id(tick.label1), id(tick.label2)}
    return [(text, box) for text, box in found if id(text) not in outside]


def test_every_figure_is_drawn_here():
    assert set(MAKERS) == set(entries("report/figures"))


@pytest.mark.parametrize(
    ("name", "case"),
    [
        *((name, case) for name in MAKERS for case in CASES if name not in FIXED or case == "one"),
        *(pytest.param(name, case, marks=pytest.mark.slow) for name in MAKERS for case in MORE if name not in FIXED),
    ],
)
def test_a_figure_can_be_read(name, case, monkeypatch):
    with in_style(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(name, (CASES | MORE)[case], monkeypatch)
        page = figure.bbox
        assert figure.get_figwidth() <= TEXT_WIDTH + 1e-6
        for ax in filter(seen, figure.axes):
            box = ax.get_window_extent()
            assert min(box.width, box.height) >= 0.99 * figure.dpi, (ax.get_title(), box.width, box.height)
        drawn = texts(figure)
        for text, box in drawn:
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1
            assert inside, f"{text.get_text()!r} is cut"
        legends = [found for found in (*figure.legends, *(ax.get_legend() for ax in figure.axes)) if found]
        for legend in legends:
            for ax in figure.axes:
                assert not legend.get_window_extent().overlaps(ax.get_window_extent()), "a legend covers data"
        for (one, box), (other, its) in combinations(drawn, 2):
            across = min(box.x1, its.x1) - max(box.x0, its.x0)
            along = min(box.y1, its.y1) - max(box.y0, its.y0)
            assert min(across, along) <= 1.5, f"{one.get_text()!r} is over {other.get_text()!r}"


@pytest.mark.parametrize("name", ["accuracy", "scaling", "interference", "interference_accuracy", "tuning"])
def test_thirty_architectures_look_different(name, monkeypatch):
    figure = MAKERS[name](Case(30, 2, 2), monkeypatch)
    labels = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    styles = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            line = getattr(handle, "lines", [handle])[0]
            if not isinstance(line, Line2D):
                labels = [other for other in labels if other != label]  # a band
                continue
            styles.setdefault(label, (to_rgba(line.get_color()), line.get_marker(), line.get_linestyle()))
    assert len(labels) >= 30 and set(labels) == set(styles), "each is in the legend"
    assert len(set(styles.values())) == len(styles)


def test_a_hundred_names_have_looks_of_their_own():
    found = looks([f"name {k}" for k in range(110)])
    assert len({(look["color"], look["marker"]) for look in found.values()}) == 110
    assert looks(["a", "b", "a"]).keys() == {"a", "b"}


def test_an_axis_of_one_size_spans_a_factor_of_two_and_shows_it_once():
    _, ax = plt.subplots()
    size_axis([ax], [24_900, 25_000], [25_000])
    low, high = ax.get_xlim()
    assert high / low >= 2 and low < 24_900 < 25_000 < high
    assert [label.get_text() for label in ax.get_xticklabels(which="both") if label.get_text()] == ["25k"]


def test_sizes_without_budgets_have_round_ticks():
    _, ax = plt.subplots()
    size_axis([ax], [9_100, 310_000, np.nan])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["10k", "20k", "50k", "100k", "200k"]


@pytest.mark.parametrize("count", [1, 2, 11, 30])
def test_lines_are_shifted_by_a_factor_of_a_quarter_at_most(count):
    moved = shifts(count, [10_000, 25_000])
    assert len(moved) == count and max(moved) / min(moved) <= 1.25 + 1e-9
    assert shifts(30, [10_000, 11_000])[-1] < 1.1**0.5, "less than half way to the next size"


def test_one_wide_interval_does_not_press_the_others_together():
    _, ax = plt.subplots()
    draw_means(ax, [1, 2, 3], [Estimate(80, 2, 3), Estimate(85, 3, 3), Estimate(90, 300, 3)])
    value_axis([ax], least=0, most=100)
    low, high = ax.get_ylim()
    assert low > 70 and high < 101
    assert sorted(line.get_ydata()[0] for line in ax.lines if line.get_label() == "_cut") == [0, 1], (
        "an arrow at each end"
    )


def test_intervals_that_fit_are_drawn_to_their_ends():
    _, ax = plt.subplots()
    draw_means(ax, [1, 2], [Estimate(80, 5, 3), Estimate(80.5, 6, 3)])
    value_axis([ax], least=0, most=100)
    low, high = ax.get_ylim()
    assert low < 74.5 and high > 86.5 and not [line for line in ax.lines if line.get_label() == "_cut"]


def test_accuracies_of_two_seeds_each_are_not_drawn_from_0_to_100(monkeypatch):
    _, ax = plt.subplots()
    draw_means(ax, range(4), [Estimate(mean, 150, 2) for mean in (88, 90, 91, 93)])
    value_axis([ax], least=0, most=100)
    assert ax.get_ylim()[0] > 50


def test_a_mean_without_interval_is_a_point_and_one_that_is_missing_is_none():
    _, ax = plt.subplots()
    draw_means(ax, [1, 2], [Estimate(0.5, np.nan, 1), Estimate(np.nan, np.nan, 3)])
    value_axis([ax])
    assert ax.get_ylim()[0] < 0.5 < ax.get_ylim()[1]
    assert not ax.texts
    _, ax = plt.subplots()
    draw_means(ax, [1], [Estimate(np.nan, np.nan, 3)])
    value_axis([ax])
    assert [text.get_text() for text in ax.texts] == ["a seed of each diverged"]


@pytest.mark.parametrize("name", ["accuracy", "solu_gap", "tuning", "crossing", "dose_response", "spectra"])
def test_no_figure_has_more_than_three_panels_a_row(name, monkeypatch):
    figure = MAKERS[name](Case(4, 1, 4), monkeypatch)
    assert max(ax.get_subplotspec().get_gridspec().ncols for ax in figure.axes) <= 3


@pytest.mark.parametrize(
    ("name", "hollow"),
    [("accuracy", 8), ("interference", 8), ("scaling", 12), ("interference_accuracy", 4), ("solu_gap", 4)],
)
def test_marks_of_untrained_runs_are_hollow_and_the_legend_says_so(name, hollow, monkeypatch):
    figure = MAKERS[name](Case(4, 2, untrained_from=0.5), monkeypatch)
    marks = [line for ax in figure.axes for line in ax.lines if line.get_label() == HOLLOW]
    assert sum(len(line.get_xdata()) for line in marks) == hollow
    assert all(line.get_markerfacecolor() == "white" for line in marks)
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == HOLLOW
    figure = MAKERS[name](Case(4, 2), monkeypatch)
    assert HOLLOW not in [text.get_text() for text in figure.legends[0].get_texts()]
