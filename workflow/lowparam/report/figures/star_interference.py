"""Interference of star and sum at equal parameters, against parameters."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.labels import architecture_label
from lowparam.report.layout import draw_means, label_outer, legend, panels, shifts, size_axis, value_axis
from lowparam.report.star_pairs import MEASURES, paired
from lowparam.report.style import LINES, MARKERS
from lowparam.studies.star.names import on_axis, varied_axes

CAPTION = (
    "Interference of star and sum at equal parameters, over the number of parameters; whiskers are 95 % t intervals "
    "over seeds. Joined features are the products or the sums of two branches. "
    "Arrows: the interval is longer than the axis."
)
APPLIES = ("compares_star_and_sum", "has_several_sizes")
ORDER = 60


def make(context: Context) -> Figure:
    """Draw the figure from ``runs.csv``."""
    return draw(context.runs)


def draw(runs: pd.DataFrame) -> Figure:
    """Draw every measure over the number of parameters: colour star or sum, marker and line the pair."""
    found = paired(runs)
    names = list(found["network"].unique())
    axis = next(iter(varied_axes(names)), None)
    found = found[[on_axis(names, name, axis) for name in found["network"]]]
    colours = dict(zip(("star", "sum"), sns.color_palette("colorblind"), strict=False))
    pairs = in_order(found["pair"])
    moved = shifts(2 * len(pairs), found["parameters"])
    figure, axes = panels(len(MEASURES), height=1.8, sharex=True)
    for ax, (measure, (printed, _)) in zip(axes, MEASURES.items(), strict=True):
        chosen = found[found["measure"] == measure]
        for place, (pair, of_pair) in enumerate(chosen.groupby("pair", sort=False)):
            for arm, colour, shift in zip(*zip(*colours.items(), strict=True), moved[2 * place :], strict=False):
                points = [
                    (group["parameters"].mean(), mean_interval(group[arm]))
                    for _, group in of_pair.groupby(["network", "budget"], sort=False)
                ]
                points = sorted(points, key=lambda point: point[0])
                draw_means(
                    ax,
                    [count * shift for count, _ in points],
                    [estimate for _, estimate in points],
                    color=colour,
                    linestyle=LINES[place % len(LINES)],
                    marker=MARKERS[place % len(MARKERS)],
                    label=f"{architecture_label(pair).replace(', star', '', 1)}, {arm}",
                )
        reference = 1 if measure in ("r_join", "r_projection", "lift_join") else 0
        if reference or measure.startswith("log_ci"):
            ax.axhline(reference, color="0.3", linewidth=0.8)
        value_axis([ax], include=[reference] if reference else [])
        ax.set_title(printed)
    size_axis(axes, found["parameters"])
    label_outer(axes, "parameters")
    legend(figure)
    return figure
