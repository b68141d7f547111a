"""Test accuracy against interference at equal budget."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.params import parse_budget
from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.labels import architecture_label
from lowparam.report.layout import HOLLOW, label_outer, legend, panels, value_axis
from lowparam.report.style import looks, only_text

CAPTION = (
    "Test accuracy against interference at equal budget: points are configurations, whiskers the standard "
    "deviation over seeds. Dashed: slope between configurations; short strokes: slope within them, over seeds. "
    "No point where a seed diverged. "
    "Hollow marks: a run is untrained."
)
OF = "verdicts"
ORDER = 4
SHOWN = True


def make(context: Context) -> Figure:
    """Draw one panel for each of the smallest four budgets.

    The dashed line goes through the configurations of a budget (slope between); the short strokes have the slope that
    the seeds of a configuration have in common (slope within). The two may differ in sign.
    """
    runs = context.runs
    base = runs[runs["probe"] == "none"]
    known = base[["r_projection", "test_accuracy"]].notna().all(axis=1)
    base = base[known.groupby([base["architecture"], base["budget"]]).transform("all")]  # no mean of survivors
    budgets = sorted(base["budget"].unique(), key=parse_budget)[:4]
    if not budgets:
        return only_text("A seed of each configuration diverged.")
    styles = looks(in_order(base["architecture"]))
    figure, axes = panels(len(budgets), height=2.4, sharex=True)
    for ax, budget in zip(axes, budgets, strict=True):
        _panel(ax, base[base["budget"] == budget], styles)
        ax.axvline(1, color="0.3", linewidth=0.8, linestyle=":")
        ax.set_title(f"budget {budget}")
        value_axis([ax], least=0, most=100)
    value_axis(axes, "x", least=0, include=[1])
    label_outer(axes, "dimensionality / null (r)", "test accuracy (%)")
    legend(figure)
    return figure


def _panel(ax: Axes, runs: pd.DataFrame, styles: dict[str, dict]) -> None:
    points = pd.DataFrame({"name": runs["architecture"], "x": runs["r_projection"], "y": 100 * runs["test_accuracy"]})
    means = points.groupby("name")[["x", "y"]].mean()
    apart = points[["x", "y"]] - points.groupby("name")[["x", "y"]].transform("mean")
    within = (apart["x"] * apart["y"]).sum() / (apart["x"] ** 2).sum() if (apart["x"] ** 2).sum() > 0 else np.nan
    for name, look in styles.items():
        group = points[points["name"] == name]
        if group.empty:
            continue
        (x, y), spread = means.loc[name], group[["x", "y"]].std()
        ax.errorbar(
            x,
            y,
            xerr=spread["x"],
            yerr=spread["y"],
            **look | {"linestyle": ""},
            elinewidth=0.8,
            label=architecture_label(name),
        )
        if (runs.loc[group.index, "status"] == "untrained").any():
            ax.plot(x, y, **look | {"linestyle": ""}, markerfacecolor="white", zorder=3, label=HOLLOW)
        ends = np.array([group["x"].min(), group["x"].max()])
        ax.plot(ends, y + within * (ends - x), color=look["color"], linewidth=1.6, alpha=0.5)
    if len(means) > 2 and means["x"].nunique() > 1:
        slope, start = np.polyfit(means["x"], means["y"], 1)
        ends = np.array([means["x"].min(), means["x"].max()])
        ax.plot(ends, start + slope * ends, color="0.3", linestyle="--", linewidth=0.9, label="between")
