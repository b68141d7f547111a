"""Validation accuracy against each tuned recipe value, a panel for each probe."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.params import are_numbers
from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.figures._lines import legend
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.style import MARKERS, TEXT_WIDTH

CAPTION = (
    "Validation accuracy against the recipe values that were tried, one panel for each probe and one line for each "
    "architecture: mean over tuning seeds. Large marks: chosen. Crosses: a training diverged or learned nothing."
)
APPLIES = ("is_tuned",)
ORDER = 60


def make(context: Context) -> Figure:
    """Draw a row of panels for each tuned recipe key, at the best of the others."""
    tune = context.experiment.tune
    assert tune is not None
    return draw(context.tuning, list(tune.values))


def draw(trials: pd.DataFrame, keys: list[str]) -> Figure:
    """Draw the figure from `Context.tuning`."""
    trials = trials[trials["check"] == ""]
    probes = in_order(trials["probe"])
    size = (min(TEXT_WIDTH, 1.6 + 2.6 * len(probes)), 2.6 * len(keys))
    figure, axes = plt.subplots(
        len(keys), len(probes), figsize=size, sharey=True, sharex="row", squeeze=False, layout="constrained"
    )
    for row, key in zip(axes, keys, strict=True):
        for ax, probe in zip(row, probes, strict=True):
            _lines(ax, trials[trials["probe"] == probe], key)
            ax.set_xlabel(key.replace("_", " "))
            ax.set_title(probe_label(probe))
        row[0].set_ylabel("validation accuracy (%)")
    legend(figure, [axes[0][0]])
    return figure


def _lines(ax: Axes, trials: pd.DataFrame, key: str) -> None:
    names = in_order(trials["architecture"])
    values = sorted(trials[key].unique()) if are_numbers(trials[key].tolist()) else in_order(trials[key])
    logarithmic = are_numbers(values) and float(values[0]) > 0
    place = {value: value if logarithmic else position for position, value in enumerate(values)}
    for number, (name, colour) in enumerate(zip(names, sns.color_palette("colorblind", len(names)), strict=True)):
        rows = trials[trials["architecture"] == name]
        means = {value: 100 * group["validation_accuracy"].mean() for value, group in rows.groupby(key, sort=False)}
        order = [value for value in values if value in means]
        marker = MARKERS[number % len(MARKERS)]
        x, y = np.array([place[value] for value in order]), np.array([means[value] for value in order])
        ax.plot(x, y, color=colour, marker=marker, label=architecture_label(name))
        chosen = rows.loc[rows["chosen"], key].iloc[0]
        ax.plot(place[chosen], means[chosen], color=colour, marker=marker, markersize=8)
        out = {value for value, group in rows.groupby(key, sort=False) if (group["status"] != "finished").any()}
        for value in out:
            ax.plot(place[value], np.nan_to_num(means[value]), color="black", marker="x", linestyle="")
    if logarithmic:
        ax.set_xscale("log")
        ax.minorticks_off()
    labels = [f"{value:g}" if are_numbers([value]) else str(value) for value in values]
    ax.set_xticks([place[value] for value in values], labels, rotation=45 if len(values) > 4 else 0)
