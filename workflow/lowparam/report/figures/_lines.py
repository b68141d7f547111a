"""Panels and lines that several figures of an experiment share."""

from collections.abc import Container
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam import catalogue
from lowparam.claims.statistics import mean_interval
from lowparam.params import parse_budget
from lowparam.report.estimates import GRID, in_order, untrained_scales
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.layout import draw_means, label_outer, panels, shifts, size_axis
from lowparam.report.style import looks

__all__ = ["draw_curve", "family_panels"]


def family_panels(runs: pd.DataFrame, ylabel: str, *, sharey: bool = False) -> tuple[Figure, dict[str, Axes]]:
    """Draw mean and interval over seeds of the column ``value`` against parameters, by probe.

    Returns
    -------
    Figure, dict of str to Axes
        The figure, and its panel for each probe. Each has one line for each family of architectures.
    """
    probes = in_order(runs["probe"])
    families = catalogue.families(in_order(runs["architecture"]))
    styles, untrained = looks(families), untrained_scales(runs)
    sizes = runs["parameters_total"]
    figure, axes = panels(len(probes), height=2.6, sharex=True, sharey=sharey)
    for ax, probe in zip(axes, probes, strict=True):
        of_probe = runs[runs["probe"] == probe]
        for (family, members), shift in zip(families.items(), shifts(len(families), sizes), strict=True):
            of_family = of_probe[of_probe["architecture"].isin(members)]
            look = {"label": architecture_label(family), **styles[family]}
            draw_curve(ax, of_family, "parameters_total", shift=shift, untrained=untrained, **look)
        ax.set_title(probe_label(probe))
    budgets = [] if "published" in set(runs["budget"]) else [parse_budget(budget) for budget in runs["budget"]]
    size_axis(axes, sizes, budgets)
    label_outer(axes, "parameters", ylabel)
    return figure, dict(zip(probes, axes, strict=True))


def draw_curve(
    ax: Axes, runs: pd.DataFrame, size: str, *, shift: float, untrained: Container[tuple[str, str, str]], **look: Any
) -> None:
    """Draw one line: the mean of the column ``value`` of each scale, with its interval, by the size of its networks.

    Parameters
    ----------
    ax : Axes
        Where.
    runs : DataFrame
        Runs of the line.
    size : str
        Column with the size of a network.
    shift : float
        Factor of all sizes, so that the intervals of several lines do not cover each other.
    untrained : container of (architecture, probe, budget)
        Scales whose mark is hollow.
    **look
        As for `lowparam.report.layout.draw_means`.
    """
    points = [
        (group[size].mean(), mean_interval(group["value"]), key in untrained)
        for key, group in runs.groupby(GRID, sort=False)
    ]
    points.sort(key=lambda point: point[0])
    draw_means(
        ax,
        [count * shift for count, *_ in points],
        [estimate for _, estimate, _ in points],
        hollow=[is_hollow for *_, is_hollow in points],
        **look,
    )
