"""Change that each design element makes to a block, a panel for each measure, sorted by the change of r."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.claims.elements import TESTED, summarise
from lowparam.claims.statistics import Estimate
from lowparam.report.context import Context
from lowparam.report.labels import architecture_label, element_label
from lowparam.report.layout import draw_means, legend, value_axis
from lowparam.report.style import TEXT_WIDTH, looks, only_text

CAPTION = (
    "Change that each design element makes to a block on {experiment}, a row of panels for each block: r at "
    "projections (a rise is less interference), cross-talk between classes (chi; a fall is less interference), and "
    "test accuracy. "
    "Elements are named after the slot that they fill. "
    "Points are means over {seeds} seeds, paired by seed, with 95 % t interval; none where a run diverged or is "
    "untrained. Stars: corrected over the parts of a block (Holm), p is at most 0.05. Sorted by the change of r. "
    "Arrows: the interval is longer than the axis."
)
APPLIES = ("compares_elements",)
ORDER = 25
SHOWN = True

TITLES = dict(zip(TESTED, ("r at projections", "chi", "accuracy (points)"), strict=True))


def make(context: Context) -> Figure:
    """Draw the figure."""
    found = _of_trained(summarise(context.runs), context.runs)
    hosts = list(dict.fromkeys(found["host"]))
    if not hosts:
        return only_text("No block was trained both with and without a part.")
    counts = [found.loc[found["host"] == host, "part"].nunique() for host in hosts]
    heights = [max(1.0, 0.13 * count + 0.1) for count in counts]
    shown = [name for name in TESTED if name in set(found["quantity"])]
    figure, axes = plt.subplots(
        len(hosts),
        len(shown),
        figsize=(TEXT_WIDTH, sum(heights) + 0.45 * len(hosts)),
        height_ratios=heights,
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    styles = looks(found["budget"])
    for row, host in zip(axes, hosts, strict=True):
        of_host = found[found["host"] == host]
        parts = list(dict.fromkeys(of_host["part"]))
        for ax, name in zip(row, shown, strict=True):
            _panel(ax, of_host[of_host["quantity"] == name], parts, styles)
            ax.set_xlabel(f"change of {TITLES[name]}")
        row[0].set_yticks(range(len(parts)), [element_label(part) for part in parts])
        row[0].set_title(architecture_label(host), loc="left")
        row[0].set_ylim(len(parts) - 0.4, -0.6)
    if len(styles) > 1:
        legend(figure)
    return figure


def _of_trained(found: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Take out the means of parts of which a run is untrained: they are about training, and would set the axes."""
    untrained = runs[(runs["status"] == "untrained") & (runs["probe"] == "none")]
    failed = set(untrained[["architecture", "budget"]].itertuples(index=False, name=None))
    hidden = [(f"{row.host}+{row.part}", row.budget) in failed for row in found.itertuples()]
    return found.assign(mean=found["mean"].mask(np.array(hidden, dtype=bool)))


def _panel(ax: Axes, rows: pd.DataFrame, parts: list[str], styles: dict[str, dict]) -> None:
    """Draw one measure of one block; the vertical line marks no change."""
    budgets = list(dict.fromkeys(rows["budget"]))
    for place, budget in enumerate(budgets):
        at = rows[rows["budget"] == budget]
        shift = 0.6 * ((place + 0.5) / len(budgets) - 0.5)
        heights = np.array([parts.index(part) for part in at["part"]]) + shift
        changes = [Estimate(*values) for values in at[["mean", "half_width", "n"]].itertuples(index=False)]
        look = styles[budget] | {"linestyle": "", "markersize": 2.5}
        draw_means(ax, heights, changes, across=True, label=budget, **look)
        clear = (at["p_holm"] <= 0.05).to_numpy()
        ax.plot(
            at["mean"][clear], heights[clear], marker="*", markersize=7, linestyle="", color=look["color"], zorder=3
        )
    ax.axvline(0, color="0.3", linewidth=0.8)
    value_axis([ax], "x", include=[0])
    ax.grid(axis="y", visible=False)
