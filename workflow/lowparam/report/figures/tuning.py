"""Validation accuracy against each tuned recipe value, a panel for each probe."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.params import are_numbers
from lowparam.report.context import Context
from lowparam.report.estimates import in_order, rising
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.layout import label_outer, legend, panels
from lowparam.report.style import looks

CAPTION = (
    "Validation accuracy against the recipe values that were tried, one panel for each probe and one line for each "
    "architecture: mean over tuning seeds, at the best of the other tuned values if there are any. Large marks: "
    "chosen. Crosses: a training diverged or learned nothing."
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
    styles = looks(trials["architecture"])
    figure, axes = panels(len(keys) * len(probes), height=2.4, sharey=True)
    for ax, (key, probe) in zip(axes, product(keys, probes), strict=True):
        _lines(ax, trials[trials["probe"] == probe], key, keys, rising(trials[key].tolist()), styles)
        ax.set_xlabel(key.replace("_", " "))
        ax.set_title(probe_label(probe))
    label_outer(axes, y="validation accuracy (%)")
    legend(figure)
    return figure


def _lines(ax: Axes, trials: pd.DataFrame, key: str, keys: list[str], values: list[Any], styles: dict) -> None:
    logarithmic = are_numbers(values) and values[0] > 0
    place = {value: value if logarithmic else position for position, value in enumerate(values)}
    for name in in_order(trials["architecture"]):
        look = styles[name]
        best = _best_of_the_others(trials[trials["architecture"] == name], key, keys)
        order = [value for value in values if value in best.index]
        x, y = [place[value] for value in order], best["accuracy"][order].to_numpy()
        ax.plot(x, y, label=architecture_label(name), **look)
        chosen = best.index[best["chosen"]][0]
        ax.plot(place[chosen], best["accuracy"][chosen], markersize=8, label="_chosen", **look)
        for value in best.index[best["failed"]]:
            _cross(ax, place[value], best["accuracy"][value])
    if logarithmic:
        ax.set_xscale("log")
        ax.minorticks_off()
    labels = [f"{value:g}" if are_numbers([value]) else str(value) for value in values]
    ax.set_xticks([place[value] for value in values], labels, rotation=45 if len(values) > 4 else 0)


def _cross(ax: Axes, x: float, accuracy: float) -> None:
    """Mark a value that is out; without an accuracy at the lower end, because a 0 would flatten all lines."""
    unknown = np.isnan(accuracy)
    where = {"transform": ax.get_xaxis_transform()} if unknown else {}
    ax.plot(x, 0.03 if unknown else accuracy, color="black", marker="x", linestyle="", **where)


def _best_of_the_others(trials: pd.DataFrame, key: str, keys: list[str]) -> pd.DataFrame:
    """Return a row for each value of a key, with the values of the other keys that are best next to it.

    The columns are ``accuracy`` in %, ``failed``, whether a training diverged or stayed untrained, and ``chosen``.
    Next to the chosen value these are the chosen ones, and values with which all trained precede all others.
    """
    groups = trials.assign(
        accuracy=100 * trials["validation_accuracy"].astype(float), failed=trials["status"] != "finished"
    ).groupby(keys, sort=False)
    whole = lambda accuracies: accuracies.mean(skipna=False)  # noqa: E731 - no mean of those that did not diverge
    rows = groups.agg({"accuracy": whole, "failed": "any", "chosen": "first"}).reset_index()
    ranked = rows.sort_values(["chosen", "failed", "accuracy"], ascending=[False, True, False], kind="stable")
    return ranked.drop_duplicates(key).set_index(key)
