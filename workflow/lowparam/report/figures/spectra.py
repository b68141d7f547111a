"""Eigenvalues of the correlations between channels at the ends of stages."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from torch import Tensor

from lowparam.report.context import Context, Profiles
from lowparam.report.figures._arrays import COLOURS, UNTRAINED, place, sites
from lowparam.report.layout import label_outer, legend, panels
from lowparam.report.style import only_text

CAPTION = (
    "{family}: eigenvalues of the correlations between channels at the end of each stage, first seed at the largest "
    "size. The band shows where the eigenvalues of independent channels lie."
)
PER = "family"
ORDER = 220
ON_PAGE = False


def make(context: Context) -> Figure:
    """Draw the figure of a family."""
    return draw(context.profiles)


def draw(profiles: Profiles) -> Figure:
    """Draw the eigenvalues at the ends of stages, one panel for each stage.

    The band shows where those of independent channels lie for as many samples as there are images (`random_band`).
    """
    arrays = profiles.arrays
    ends = sites(arrays, "eigenvalues")
    if not ends:
        return only_text("No spectrum was kept.")
    figure, axes = panels(len(ends), height=2.4, sharey=True)
    for axis, site in zip(axes, ends, strict=True):
        networks = [(label, found, colour) for (label, found), colour in zip(arrays.items(), COLOURS, strict=False)]
        before = networks[0][1].get(f"untrained/{site}/eigenvalues")
        if before is not None:
            _spectrum(axis, before, UNTRAINED, "untrained")
        for label, found, colour in networks:
            if f"{site}/eigenvalues" in found:
                _spectrum(axis, found[f"{site}/eigenvalues"], colour, label)
        values, images = next(
            (found[f"{site}/eigenvalues"], found[f"{site}/images"])
            for found in arrays.values()
            if f"{site}/images" in found
        )
        axis.axhspan(*random_band(len(values), images.item()), color="0.88", zorder=0, label="independent channels")
        axis.set(xscale="log", yscale="log", title=f"{place(site)}, {len(values)} channels")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda rank, _: f"{rank:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    label_outer(axes, "rank", "eigenvalue of the correlations")
    least = min(line.get_ydata().min() for axis in axes for line in axis.lines)
    axes[0].set_ylim(bottom=max(1e-6, least / 2))
    legend(figure)
    return figure


def random_band(channels: int, samples: float) -> tuple[float, float]:
    """Compute the range of eigenvalues of the correlations of independent channels (Marchenko & Pastur 1967)."""
    ratio = (channels / samples) ** 0.5
    return max(1e-9, 1 - ratio) ** 2, (1 + ratio) ** 2


def _spectrum(axis: Axes, values: Tensor, colour: str, label: str) -> None:
    axis.plot(
        np.arange(1, len(values) + 1),
        values.clip(min=1e-9).numpy(),
        color=colour,
        marker=".",
        markersize=3,
        label=label,
    )
