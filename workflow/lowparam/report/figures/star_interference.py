"""Interference of star and sum at equal parameters, against parameters."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.labels import architecture_label
from lowparam.report.star_pairs import MEASURES, paired
from lowparam.report.style import MARKERS, TEXT_WIDTH
from lowparam.studies.star.names import on_axis, varied_axes

CAPTION = (
    "Interference of star and sum at equal parameters, over the number of parameters; whiskers are 95 % t intervals "
    "over seeds. Joined features are the products or the sums of two branches."
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
    lines = dict(zip(found["pair"].unique(), ("-", "--", ":"), strict=False))
    lines_of_panels = -(-len(MEASURES) // 3)
    figure, panels = plt.subplots(
        lines_of_panels, 3, figsize=(TEXT_WIDTH, 1.8 * lines_of_panels), sharex=True, layout="constrained"
    )
    for ax in panels.flat[len(MEASURES) :]:
        ax.remove()
    for ax, (measure, (printed, _)) in zip(panels.flat, MEASURES.items(), strict=False):
        chosen = found[found["measure"] == measure]
        for place, (pair, of_pair) in enumerate(chosen.groupby("pair", sort=False)):
            for shift, (arm, colour) in enumerate(colours.items()):
                points = [
                    (group["parameters"].mean(), mean_interval(group[arm]))
                    for _, group in of_pair.groupby(["network", "budget"], sort=False)
                ]
                points = sorted(points, key=lambda point: point[0])
                ax.errorbar(
                    [count * 1.03 ** (place + shift / 2 - 1) for count, _ in points],
                    [e.mean for _, e in points],
                    yerr=[e.half_width for _, e in points],
                    color=colour,
                    linestyle=lines[pair],
                    marker=MARKERS[place],
                    label=f"{architecture_label(pair).replace(', star', '', 1)}, {arm}",
                    elinewidth=0.8,
                    capsize=1.5,
                )
        if measure in ("r_join", "r_projection", "lift_join"):
            ax.axhline(1, color="0.3", linewidth=0.8)
        if measure.startswith("log_ci"):
            ax.axhline(0, color="0.3", linewidth=0.8)
        ax.set_title(printed)
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count / 1000:.3g}k"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    counts = sorted(found["parameters"].unique())
    ticks = [counts[i] for i in np.unique(np.linspace(0, len(counts) - 1, 3).round().astype(int))]
    for ax in panels[-1]:
        ax.set_xticks(ticks)
        ax.set_xlabel("parameters")
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(lines), frameon=False
    )
    return figure
