"""Panels over the number of known features that several figures share."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.claims.statistics import mean_interval
from lowparam.params import parse_budget
from lowparam.report.estimates import in_order
from lowparam.report.labels import architecture_label
from lowparam.report.layout import draw_means, label_outer, legend, panels, shifts
from lowparam.report.style import looks

__all__ = ["dose_panels", "smallest"]


def smallest(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs without probe at the smallest budget."""
    runs = runs[runs["probe"] == "none"]
    sizes = runs["budget"].map(parse_budget)
    return runs[sizes == sizes.min()]


def dose_panels(runs: pd.DataFrame, column: str, ylabel: str, *, limit: bool = False) -> Figure:
    """Draw mean and interval over seeds of a column against the number of features, one line an architecture.

    There is a panel for each presence, at the smallest budget without probe. With `limit`, a dashed line has the number
    of features, and dotted ones the mean limit of the shapes (``features_limit``).
    """
    runs = smallest(runs)
    presences, blocks = sorted(runs["presence"].unique()), in_order(runs["block"])
    styles = looks(blocks)
    figure, axes = panels(len(presences), height=2.6, sharex=True, sharey=True)
    for ax, presence in zip(axes, presences, strict=True):
        of_one = runs[runs["presence"] == presence]
        for block, shift in zip(blocks, shifts(len(blocks), runs["features"]), strict=True):
            groups = list(of_one[of_one["block"] == block].groupby("features"))
            if groups:
                draw_means(
                    ax,
                    [float(n) * shift for n, _ in groups],
                    [mean_interval(group[column]) for _, group in groups],
                    hollow=[bool((group["status"] == "untrained").any()) for _, group in groups],
                    label=architecture_label(block),
                    **styles[block],
                )
        if limit:
            _draw_limits(ax, of_one)
        ax.set_title(f"present with probability {presence:g}")
        ax.set_xscale("log", base=2)
        numbers = sorted(runs["features"].unique())
        ax.set_xticks(numbers, [f"{n:g}" for n in numbers])
        ax.minorticks_off()
    label_outer(axes, "known features", ylabel)
    legend(figure)
    return figure


def _draw_limits(ax: Axes, runs: pd.DataFrame) -> None:
    """Draw all features, and what the shapes allow a network without activations, mean over architectures."""
    limits = runs.groupby("features")["features_limit"].mean()
    ax.plot(limits.index, limits.index, "k--", linewidth=0.8, label="all features")
    ax.plot(limits.index, limits, "k:", linewidth=1.2, label="limit without activations")
