"""How all figures look, and how they are written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen is needed

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

from lowparam.files import atomic

__all__ = ["COLUMN_WIDTH", "MARKERS", "TEXT_WIDTH", "in_style", "only_text", "save"]

TEXT_WIDTH = 7.0  # inches, both columns of a paper
COLUMN_WIDTH = 3.4
MARKERS = "osD^vPX*<>"

STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,  # fonts that a publisher can edit
    "svg.hashsalt": "lowparam",
}


@contextmanager
def in_style() -> Iterator[None]:
    """Draw in the style of the house, sized for a two-column paper, inside this block."""
    with sns.axes_style("whitegrid"), plt.rc_context(STYLE):
        yield


def save(figure: Figure, path: Path) -> None:
    """Write PDF and PNG without a date in them, so that equal figures are equal files; close the figure."""
    for suffix, options in ((".pdf", {"metadata": {"CreationDate": None}}), (".png", {"dpi": 200})):
        with atomic(path.with_suffix(suffix)) as temporary:
            figure.savefig(temporary, **options)
    plt.close(figure)


def only_text(text: str) -> Figure:
    """A figure that says why there is nothing to draw, for runs that were planned and diverged."""
    figure, ax = plt.subplots(figsize=(TEXT_WIDTH, 1), layout="constrained")
    ax.text(0.5, 0.5, text, ha="center", va="center")
    ax.set_axis_off()
    return figure
