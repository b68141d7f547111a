"""Points of accuracy against cost with their Pareto front, which several figures share."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lowparam.report.estimates import GRID, mean_by_scale
from lowparam.report.labels import architecture_label
from lowparam.report.layout import HOLLOW
from lowparam.report.pareto import front

__all__ = ["cost_points", "draw_front"]


def cost_points(runs: pd.DataFrame, accuracy: str, costs: Collection[str]) -> pd.DataFrame:
    """Return the mean accuracy of each scale with its interval and its mean costs, without scales that have no mean."""
    points = mean_by_scale(runs, accuracy).join(runs.groupby(GRID)[list(costs)].mean(), on=GRID)
    return points[points["mean"].notna()]


def draw_front(
    ax: Axes,
    points: pd.DataFrame,
    cost: str,
    styles: Mapping[str, Mapping[str, Any]],
    untrained: Collection[tuple[str, str, str]],
) -> None:
    """Draw a point with its interval for each scale, and the line that no other scale beats at less cost.

    Parameters
    ----------
    ax : Axes
        Where.
    points : DataFrame
        What `cost_points` returned; accuracies are shares, drawn in percent.
    cost : str
        The column on the x axis.
    styles : mapping of str to mapping
        The look of each architecture, as `lowparam.report.style.looks` returns it.
    untrained : collection of (architecture, probe, budget)
        Scales whose mark is hollow, and which are on no front.
    """
    for _, row in points.iterrows():
        look = {**styles[row["architecture"]], "linestyle": "", "label": architecture_label(row["architecture"])}
        ax.errorbar(row[cost], 100 * row["mean"], yerr=100 * row["half_width"], elinewidth=0.8, **look)
        if tuple(row[GRID]) in untrained:
            ax.plot(row[cost], 100 * row["mean"], **look | {"label": HOLLOW}, markerfacecolor="white", zorder=3)
    trained = points[[tuple(row) not in untrained for row in points[GRID].to_numpy()]]
    best = trained.iloc[front(trained[cost].tolist(), trained["mean"].tolist())]
    ax.plot(best[cost], 100 * best["mean"], drawstyle="steps-post", color="0.3", linewidth=1, zorder=0)
