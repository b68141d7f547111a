"""Define the look of all figures, and write them."""

import io
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen is needed

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure
from PIL import Image

from lowparam.files import atomic
from lowparam.report.layout import TEXT_WIDTH, fit

__all__ = ["LINES", "MARKERS", "TEXT_WIDTH", "in_style", "looks", "only_text", "quantised", "save"]

MARKERS = "osD^vPX*<>p"
LINES = ("-", "--", "-.", ":")

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
def in_style() -> Generator[None]:
    """Draw in the style of this project, sized for a two-column paper, inside the ``with`` block."""
    with sns.axes_style("whitegrid"), plt.rc_context(STYLE):
        yield


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return colour, marker and line of each name, for ``ax.errorbar`` and ``ax.plot``.

    The palette has ten colours, and there is one marker more: so no two of 110 names have the same colour and marker,
    and neighbours differ in both. The line changes after every ten names.
    """
    colours = sns.color_palette("colorblind", 10)
    return {
        name: {"color": colours[place % 10], "marker": MARKERS[place % 11], "linestyle": LINES[place // 10 % 4]}
        for place, name in enumerate(dict.fromkeys(names))
    }


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as ``<folder>/<name>.pdf`` and ``.png``, and close it.

    It is first made large enough to be read (`lowparam.report.layout.fit`). The files contain no date, so equal figures
    are equal files. The PNG is reduced to a palette (`quantised`), which makes it a third of the size.
    """
    fit(figure)
    with atomic(folder / f"{name}.pdf") as temporary:
        figure.savefig(temporary, metadata={"CreationDate": None})
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=200)
    heat_map = any(ax.images for ax in figure.axes)
    with atomic(folder / f"{name}.png") as temporary:
        quantised(picture, heat_map=heat_map).save(temporary, "PNG", optimize=True)
    plt.close(figure)


def quantised(picture: io.BytesIO | Path, *, heat_map: bool = False) -> Image.Image:
    """Read a picture and reduce it to a palette, without dithering.

    Lines and text need 64 colours. A colour map needs 256 that cover its whole range: median cut, which is the better
    method for lines, gives the rare colours at the ends of the map away.
    """
    with Image.open(picture) as image:
        colours = image.convert("RGB")
    method, count = (Image.Quantize.MAXCOVERAGE, 256) if heat_map else (Image.Quantize.MEDIANCUT, 64)
    return colours.quantize(count, method, dither=Image.Dither.NONE)


def only_text(text: str) -> Figure:
    """Draw a figure that states why it is empty, for runs that were planned but diverged."""
    figure, ax = plt.subplots(figsize=(TEXT_WIDTH, 1), layout="constrained")
    ax.text(0.5, 0.5, text, ha="center", va="center")
    ax.set_axis_off()
    return figure
