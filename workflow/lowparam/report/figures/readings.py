"""What each reading of SoLU does to accuracy and overlap, and what the claims are under it."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.claims.finding import NOT_TESTED
from lowparam.report.context import Context
from lowparam.report.figures.claims import COLOURS, SHAPES
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.layout import legend, value_axis
from lowparam.report.readings import Readings
from lowparam.report.style import TEXT_WIDTH

CAPTION = (
    "Claims of Hollard et al. under each reading of what the paper leaves open: estimate and 95 % interval of the "
    "primary test of a claim with the reading in place of the headline one. C5: change of accuracy in ConvNeXt minus "
    "that in V1, V2 and V3. C7: exponent minus those of V1 and V2, which may be 0.05 below. C8: change of accuracy in "
    "NoDepth, and NoDepth minus V2 (block). Colour and shape show the verdict after Holm's correction for the number "
    "of readings; right of the line is what the paper reports, left of it for chi. Arrows: the interval is longer "
    "than the axis."
)
APPLIES = ("compares_readings",)
ORDER = 32

SOLU = {
    ("C4", "overlap"): "C4: change of r",
    ("C4", "primary"): "C4: change of chi",
    ("C5", "primary"): "C5: accuracy (points)",
    ("C8", "primary"): "C8: accuracy (points)",
}
NODEPTH = {
    ("C7", "primary"): "C7: exponent",
    ("C8", "primary"): "C8: SoLU (points)",
    ("C8", "block"): "C8: block (points)",
}


def make(context: Context) -> Figure:
    """Draw a row of panels for the readings of SoLU, and one for those of NoDepth."""
    readings = Readings(context)
    parts = []
    if readings.probes:
        parts.append((readings.of_solu, SOLU, readings.probes, probe_label))
    if readings.blocks:
        parts.append((readings.of_nodepth, NODEPTH, readings.blocks, architecture_label))
    return draw(parts)


def draw(parts: list) -> Figure:
    """Draw the figure.

    Parameters
    ----------
    parts : list of tuples
        What `lowparam.claims.readings.judge_readings` returned, the tests to show with their titles, the readings, and
        the function that gives their names in print.
    """
    rows = [len(readings) for _, _, readings, _ in parts]
    figure = plt.figure(figsize=(TEXT_WIDTH, 0.9 * len(parts) + 0.6 + 0.19 * sum(rows)), layout="constrained")
    sections = figure.subfigures(len(parts), 1, height_ratios=[count + 4 for count in rows], squeeze=False)[:, 0]
    words: set[str] = set()
    for section, (judged, titles, readings, label) in zip(sections, parts, strict=True):
        titles = {key: title for key, title in titles.items() if not _of(judged, key).empty}
        axes = section.subplots(1, max(len(titles), 1), sharey=True, squeeze=False)[0]
        for ax, (key, title) in zip(axes, titles.items(), strict=False):
            shown = _of(judged, key)
            words |= set(shown["verdict"])
            _panel(ax, shown, readings)
            ax.set_xlabel(title)
        axes[0].set_yticks(range(len(readings)), [label(reading) for reading in readings])
        axes[0].set_ylim(len(readings) - 0.4, -0.6)
    for word in COLOURS:
        if word in words:
            axes[0].plot([], [], color=COLOURS[word], marker=SHAPES[word], linestyle="", label=word)
    legend(figure)
    return figure


def _of(judged: pd.DataFrame, key: tuple[str, str]) -> pd.DataFrame:
    """Return the rows of a test that has runs."""
    return judged[judged["claim"].eq(key[0]) & judged["test"].eq(key[1]) & judged["verdict"].ne(NOT_TESTED)]


def _panel(ax: Axes, shown: pd.DataFrame, readings: list[str]) -> None:
    for row in shown.itertuples():
        place, colour = readings.index(row.reading), COLOURS[row.verdict]
        middle, half = (row.high + row.low) / 2, (row.high - row.low) / 2
        ax.errorbar(middle, place, xerr=half, fmt="none", color=colour, elinewidth=1)
        ax.plot(row.estimate, place, marker=SHAPES[row.verdict], color=colour)
    ax.axvline(0, color="0.3", linewidth=0.8)
    value_axis([ax], "x", include=[0, *shown["estimate"]])
    ax.grid(axis="y", visible=False)
