"""Lay figures out so that they can be read: panels, axes, intervals and legends, whatever their number and length.

Every figure keeps these rules, and `tests/report/test_figures.py` draws all of them with one to thirty architectures:

- At most three panels a row (`panels`), and no axes below one inch in either direction (`fit`).
- The legend is measured: it is to the right of the panels if that leaves them room, else below them (`legend`).
- An axis of sizes spans a factor of two or more; lines are shifted by a factor of 1.25 at most (`size_axis`, `shifts`).
- Means and reference values decide an axis. An interval that would stretch it ends in an arrow (`value_axis`).
- The mark of a mean is hollow where one of its runs is untrained (`draw_means`).
"""

import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN, CARETLEFT, CARETRIGHT, CARETUP
from matplotlib.ticker import NullLocator

from lowparam.claims.statistics import Estimate
from lowparam.params import format_budget

__all__ = [
    "HOLLOW",
    "TEXT_WIDTH",
    "cut",
    "draw_means",
    "fit",
    "label_outer",
    "legend",
    "panels",
    "shifts",
    "size_axis",
    "size_ticks",
    "value_axis",
]

TEXT_WIDTH = 7.0  # inches, both columns of a paper
ACROSS = 3  # panels in a row
LEAST = 1.0  # inches, of axes in both directions
ROOM = 1.8  # inches a column of panels keeps next to a legend, with the labels of its axis
WIDEST_SHIFT = 1.25
NARROWEST = 2.0  # factor that an axis of sizes spans at least
ROUND = (1, 2, 5)
HOLLOW = "hollow: a run is untrained"


def panels(count: int, *, height: float = 2.2, width: float | None = None, **shared: Any) -> tuple[Figure, list[Axes]]:
    """Make panels, up to three in a row and as even as possible.

    Parameters
    ----------
    count : int
        How many.
    height : float
        Of a row, in inches.
    width : float, optional
        Of the figure, in inches; by default what the number of panels in a row needs.
    **shared
        ``sharex`` and ``sharey``, as in `matplotlib.pyplot.subplots`.
    """
    rows = -(-max(count, 1) // ACROSS)
    columns = -(-max(count, 1) // rows)
    size = (width or min(TEXT_WIDTH, 1.4 + 2.4 * columns), height * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **shared)
    for ax in axes.flat[count:]:
        ax.remove()
    return figure, list(axes.flat[:count])


def label_outer(axes: Sequence[Axes], x: str = "", y: str = "") -> None:
    """Label the lowest panel of each column and the first of each row, and show the ticks there."""
    for place, ax in enumerate(axes):
        spec = ax.get_subplotspec()
        assert spec is not None
        columns = spec.get_gridspec().ncols
        if place + columns >= len(axes):
            ax.set_xlabel(x or ax.get_xlabel())
            ax.tick_params(labelbottom=True)
        if place % columns == 0:
            ax.set_ylabel(y or ax.get_ylabel())


def shifts(count: int, sizes: Iterable[float] = ()) -> list[float]:
    """Return factors that move lines apart on an axis of sizes, so that their whiskers do not hide each other.

    Parameters
    ----------
    count : int
        How many lines.
    sizes : iterable of float
        What the lines are drawn at: lines move at most half way to the next size.
    """
    apart = [large / small for small, large in pairwise(sorted(set(sizes))) if large / small > 1.01]
    widest = min([WIDEST_SHIFT, *(ratio**0.5 for ratio in apart)])
    step = min(1.03, widest ** (1 / max(count - 1, 1)))
    return [step ** (place - (count - 1) / 2) for place in range(count)]


def draw_means(
    ax: Axes,
    places: Sequence[float] | np.ndarray,
    estimates: Sequence[Estimate],
    *,
    across: bool = False,
    hollow: Sequence[bool] = (),
    **look: Any,
) -> None:
    """Draw means with their intervals; a mean that is missing (NaN) is no point.

    Parameters
    ----------
    ax : Axes
        Where.
    places : sequence of float
        Where the means are on the other axis.
    estimates : sequence of Estimate
        Means and half-widths.
    across : bool
        Draw the means on the x axis instead of the y axis.
    hollow : sequence of bool
        Which means are of scales with an untrained run; they get a hollow mark, which the legend explains.
    **look
        As for ``ax.errorbar``: colour, marker, line, label.
    """
    means, halves = [e.mean for e in estimates], [e.half_width for e in estimates]
    look = {"elinewidth": 0.8, "capsize": 1.5} | look
    if across:
        ax.errorbar(means, places, xerr=halves, **look)
    else:
        ax.errorbar(places, means, yerr=halves, **look)
    points = [(p, m) for p, m, is_hollow in zip(places, means, hollow, strict=False) if is_hollow and np.isfinite(m)]
    if points:
        mark = {"linestyle": "", "marker": look.get("marker") or look.get("fmt") or "o", "color": look.get("color")}
        ends = zip(*(point[::-1] if across else point for point in points), strict=True)
        ax.plot(*map(list, ends), **mark, markerfacecolor="white", zorder=3, label=HOLLOW)


# Axes.


def size_axis(axes: Sequence[Axes], sizes: Iterable[float], ticks: Iterable[float] = ()) -> None:
    """Give axes a logarithmic scale for sizes, with labels such as 25k.

    Parameters
    ----------
    axes : sequence of Axes
        Panels with the same sizes.
    sizes : iterable of float
        What is drawn, in any order; NaN is left out.
    ticks : iterable of float
        Where to put the ticks, such as budgets; by default at 1, 2 and 5 times powers of ten.
    """
    known = [size for size in sizes if np.isfinite(size) and size > 0] or [1.0]
    low, high = min(known), max(known)
    wider = max(1.0, NARROWEST * low / high) ** 0.5 * 1.15
    low, high = low / wider, high * wider
    for ax in axes:
        ax.set_xscale("log")
        ax.set_xlim(low, high)
        size_ticks(ax, ticks)


def size_ticks(ax: Axes, ticks: Iterable[float] = ()) -> None:
    """Put ticks such as 25k on a logarithmic x axis, as `size_axis` does, and leave its limits as they are."""
    low, high = ax.get_xlim()
    places = sorted({tick for tick in ticks if low <= tick <= high})
    if not places:
        powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        places = [step * 10.0**power for power in powers for step in ROUND if low <= step * 10.0**power <= high]
    places = places or [np.sqrt(low * high)]
    ax.set_xticks(places, [_size(place) for place in places])
    ax.xaxis.set_minor_locator(NullLocator())


def _size(count: float) -> str:
    return format_budget(int(float(f"{count:.3g}"))) if count >= 1 else f"{count:.3g}"


def value_axis(
    axes: Sequence[Axes],
    axis: Literal["x", "y"] = "y",
    *,
    least: float = -np.inf,
    most: float = np.inf,
    include: Iterable[float] = (),
    note: bool = True,
) -> None:
    """Set the limits of axes that share them by the means that are drawn, and end longer intervals in arrows.

    An axis reaches beyond the means by a quarter of their range, or by one and a half of the median half-width where
    that is more, so that one wide interval does not press all means together.

    Parameters
    ----------
    axes : sequence of Axes
        With what ``ax.errorbar`` drew.
    axis : {"x", "y"}
        Along which the intervals are.
    least, most : float
        Bounds of what the axis shows, such as 0 and 100 for accuracies: an interval is unbounded, an accuracy is not.
    include : iterable of float
        Other values that must be in view, such as that of a reference line.
    note : bool
        Whether a panel without a mean says why.
    """
    bars = [bar for ax in axes for bar in _bars(ax, axis)]
    means = [mean for ax in axes for mean in _means(ax, axis)]
    known = np.array([value for value in (*means, *include) if np.isfinite(value)])
    for ax in axes:
        if note and ax.containers and not _means(ax, axis) and not _bars(ax, axis):
            ax.text(0.5, 0.5, "a seed of each diverged", transform=ax.transAxes, ha="center", va="center", color="0.4")
    if not known.size:
        return
    logarithmic = getattr(axes[0], f"get_{axis}scale")() == "log"
    go, back = (np.log10, lambda value: 10**value) if logarithmic else (np.asarray, float)
    ends = go(np.array([bar[:2] for bar in bars])) if bars else np.empty((0, 2))
    low, high = go(known).min(), go(known).max()
    typical = np.quantile(np.diff(ends) / 2, 0.5, method="lower") if bars else 0.0
    reach = max((high - low) / 4, min(1.5 * typical, (most - least) / 4))
    low = min(low, max(low - reach, ends[:, 0].min(initial=np.inf)))
    high = max(high, min(high + reach, ends[:, 1].max(initial=-np.inf)))
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    spare = 0.01 * (most - least) if np.isfinite(most - least) else 0.0  # else the bound would halve its marks
    low, high = back(max(low - margin, least - spare)), back(min(high + margin, most + spare))
    for ax in axes:
        getattr(ax, f"set_{axis}lim")(low, high)
        cut(ax, axis)


def cut(ax: Axes, axis: Literal["x", "y"] = "y") -> None:
    """Put an arrow where an interval leaves the axes."""
    low, high = sorted(getattr(ax, f"get_{axis}lim")())
    inverted = getattr(ax, f"{axis}axis_inverted")()
    for start, stop, place, colour in _bars(ax, axis):
        for out, edge, arrow in (
            (start < low, 0, {"x": CARETLEFT, "y": CARETDOWN}[axis]),
            (stop > high, 1, {"x": CARETRIGHT, "y": CARETUP}[axis]),
        ):
            if not out:
                continue
            edge = 1 - edge if inverted else edge
            where, transform = ((edge, place), ax.get_yaxis_transform())
            if axis == "y":
                where, transform = ((place, edge), ax.get_xaxis_transform())
            ax.plot(*([value] for value in where), marker=arrow, color=colour, transform=transform, label="_cut")


def _means(ax: Axes, axis: str) -> list[float]:
    found = []
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer) and container.lines[0] is not None:
            data = np.asarray(container.lines[0].get_data(), dtype=float)
            found += data["xy".index(axis), np.isfinite(data).all(axis=0)].tolist()
    return found


def _bars(ax: Axes, axis: str) -> list[tuple[float, float, float, Any]]:
    """Return start, end, place on the other axis and colour of the intervals along an axis."""
    along = "xy".index(axis)
    found = []
    for container in ax.containers:
        if not isinstance(container, ErrorbarContainer):
            continue
        lines = container.lines[2]
        lines = lines[along : along + 1] if container.has_xerr and container.has_yerr else lines
        if not (container.has_xerr, container.has_yerr)[along]:
            continue
        for collection in lines:
            for path in collection.get_paths():
                ends = np.asarray(path.vertices, dtype=float)
                if np.isfinite(ends).all() and len(ends) == 2:
                    start, stop = sorted(ends[:, along])
                    found.append((start, stop, ends[0, 1 - along], collection.get_color()[0]))
    return found


# Legends, and what is measured after all is drawn.


def legend(figure: Figure, title: str | None = None) -> Legend | None:
    """Put one legend for all panels next to them if that leaves them room, else below, where the figure grows for it.

    Every label of a panel is an entry once.
    """
    entries = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if HOLLOW in entries:  # last, and in no series' colour
        del entries[HOLLOW]
        entries[HOLLOW] = Line2D([], [], color="0.3", marker="o", markerfacecolor="white", linestyle="")
    if not entries:
        return None
    width, height = figure.get_size_inches()
    columns = _columns(figure)

    def put(place: str, ncols: int, labels: Iterable[str] = entries) -> tuple[Legend, float, float]:
        made = figure.legend(
            entries.values(), labels, loc=f"outside {place}", ncols=ncols, title=title, title_fontsize=7, frameon=False
        )
        box = made.get_window_extent(figure.canvas.get_renderer())  # pyrefly: ignore[missing-attribute]
        return made, box.width / figure.dpi, box.height / figure.dpi

    made, wide, high = put("right center", 1)
    if high <= height and width - wide >= columns * ROOM:
        return made
    single = wide
    for ncols in range(min(len(entries), max(1, int(width / (0.5 * single)))), 0, -1):
        made.remove()
        made, wide, high = put("lower center", ncols)
        if wide <= width - 0.1:
            break
    else:
        made.remove()
        letters = int(max(map(len, entries)) * (width - 0.5) / wide)
        made, wide, high = put("lower center", 1, [textwrap.fill(label, letters) for label in entries])
    figure.set_figheight(height + high + 0.1)
    return made


def _columns(figure: Figure) -> int:
    specs = [spec for ax in figure.axes if (spec := ax.get_subplotspec()) is not None]
    return max((spec.get_gridspec().ncols for spec in specs), default=1)


def fit(figure: Figure) -> None:
    """Wrap titles and labels, thin ticks out, and let the figure grow until all axes have an inch in both directions.

    A figure is never wider than `TEXT_WIDTH`, so that wide labels of the y axis are wrapped instead.
    """
    for _ in range(8):
        figure.draw_without_rendering()
        changed = [_wrap_texts(figure), _grow(figure)]
        if not any(changed):
            break
    thinned = [_thin_out(ax) for ax in _drawn(figure)]
    if any(thinned):
        figure.draw_without_rendering()


def _drawn(figure: Figure) -> list[Axes]:
    """Return the axes that show something; those of colour bars and of text alone do not count."""
    return [ax for ax in figure.axes if ax.axison and ax.get_visible() and ax.get_label() != "<colorbar>"]


def _wrap_texts(figure: Figure) -> bool:
    """Break titles and labels of axes that would reach into the next panel."""
    bars = len(_drawn(figure)) < len(figure.axes)
    changed = False
    for ax in _drawn(figure):
        box = ax.get_window_extent()
        width = box.width if bars or _columns(figure) > 1 else figure.bbox.width - 0.1 * figure.dpi
        height = box.height + 0.3 * figure.dpi
        for text, side, room in (
            (ax.title, "width", width),
            (ax.xaxis.label, "width", width),
            (ax.yaxis.label, "height", height),
        ):
            length = getattr(text.get_window_extent(), side)
            lines = text.get_text().split("\n")
            if length <= room or text.get_text().count("$") > 1:
                continue
            letters = max(8, int(max(map(len, lines)) * room / length))
            wrapped = "\n".join(textwrap.fill(line, letters) for line in lines)
            changed |= wrapped != text.get_text()
            text.set_text(wrapped)
    return changed


def _grow(figure: Figure) -> bool:
    """Enlarge a figure whose axes are too small; return whether anything changed."""
    boxes = [ax.get_window_extent() for ax in _drawn(figure)]
    least_width, least_height = (
        min((getattr(box, side) for box in boxes), default=np.inf) / figure.dpi for side in ("width", "height")
    )
    width, height = figure.get_size_inches()
    rows = max((spec.get_gridspec().nrows for ax in _drawn(figure) if (spec := ax.get_subplotspec())), default=1)
    changed = False
    if least_height < LEAST:
        figure.set_figheight(height + rows * (LEAST - least_height) + 0.05)
        changed = True
    if least_width < LEAST and width < TEXT_WIDTH:
        figure.set_figwidth(min(TEXT_WIDTH, width + _columns(figure) * (LEAST - least_width) + 0.05))
        changed = True
    elif least_width < LEAST:
        for ax in _drawn(figure):
            changed |= _wrap_labels(ax)
    return changed


def _wrap_labels(ax: Axes) -> bool:
    """Break the longest labels of the y axis in two."""
    labels = [label.get_text() for label in ax.get_yticklabels()]
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    if longest < 12:
        return False
    most = int(0.7 * longest)
    wrapped = ["\n".join(textwrap.fill(line, most) for line in label.split("\n")) for label in labels]
    ax.set_yticks(ax.get_yticks(), wrapped)
    return wrapped != labels


def _thin_out(ax: Axes) -> bool:
    """Hide labels of the x axis that would overlap the one before them; return whether there were any."""
    low, high = sorted(ax.get_xlim())
    labels = [
        tick.label1
        for tick in ax.xaxis.get_major_ticks()
        if low <= tick.get_loc() <= high and tick.label1.get_visible() and tick.label1.get_text()
    ]
    boxes = {label: label.get_window_extent() for label in labels}
    hidden, end = [], -np.inf
    for label in sorted(labels, key=lambda label: boxes[label].x0):
        if boxes[label].x0 >= end:
            end = boxes[label].x1 + 2
        else:
            label.set_visible(False)
            hidden.append(label)
    return bool(hidden)
