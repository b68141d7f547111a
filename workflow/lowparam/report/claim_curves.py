"""The curves behind the verdicts: doses, sizes, crossing points, and accuracy against interference."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lowparam.claims.base import Kind
from lowparam.claims.finding import NotTested
from lowparam.claims.kinds.contrast import unit_of
from lowparam.claims.kinds.crossing import Crossing
from lowparam.claims.kinds.dose import Dose
from lowparam.claims.registry import Registry
from lowparam.claims.statistics import mean_interval
from lowparam.params import format_budget, parse_budget
from lowparam.report.labels import architecture_label
from lowparam.report.style import MARKERS, TEXT_WIDTH, only_text

__all__ = ["crossing", "dose_response", "interference_accuracy", "scaling"]

SIZES = {"parameters_total": "parameters", "parameters_body": "parameters without head", "macs": "multiply-adds"}


def dose_response(runs: pd.DataFrame, registry: Registry) -> Figure:
    """Every dose that the runs have, a panel a test: thin lines seeds, points the mean with its 95 % interval.

    Where the dose is a means to move a measure, the measure stands beside it, on the axis to the right.
    """
    found = []
    for title, test in _tests(registry, Dose):
        try:
            doses, values = test.responses(runs, test.outcome)
            moved = test.responses(runs, test.moved)[1] if test.moved else None
        except NotTested:
            continue
        if len(set(doses)) > 1:
            found.append((title, test, doses, values, moved))
    if not found:
        return only_text("No dose was varied in these runs.")
    figure, axes = _panels(len(found))
    for ax, (title, test, doses, values, moved) in zip(axes.flat, found, strict=False):
        order = np.argsort(doses)
        x = 2 ** doses[order] if test.doses is None else doses[order]
        ax.plot(x, values[order], color="0.75", linewidth=0.6)
        _means(ax, x, values[order], color="C0", marker="o")
        if moved is not None:
            right = ax.twinx()
            _means(right, x, moved[order], color="C1", marker="s", linestyle="--")
            right.set_ylabel(unit_of(test.moved), color="C1")
            right.grid(visible=False)
        if test.doses is None:
            _size_axis(ax)
        ax.set_xlabel("parameters" if test.doses is None else "dose")
        ax.set_ylabel(unit_of(test.outcome) + (", difference" if test.minus else ""))
        ax.set_title(title)
    return figure


def crossing(runs: pd.DataFrame, registry: Registry) -> Figure:
    """Lead of one scaling curve over another, a panel a test, with the line that is fitted and where it crosses zero.

    Thin lines are seeds, points the mean with its 95 % interval; the band is the interval of the crossing point, as far
    as it lies among the sizes.
    """
    found = []
    for title, test in _tests(registry, Crossing):
        try:
            found.append((title, test, *test.differences(runs), test.find(runs)))
        except NotTested:
            continue
    if not found:
        return only_text("No two scaling curves can be compared in these runs.")
    figure, axes = _panels(len(found))
    for ax, (title, test, sizes, values, judged) in zip(axes.flat, found, strict=False):
        ax.plot(sizes, values, color="0.75", linewidth=0.6)
        _means(ax, sizes, values, color="C0", marker="o", linestyle="")
        line = np.polyfit(np.log(sizes), np.nanmean(values, axis=1), 1)
        ax.plot(sizes, np.polyval(line, np.log(sizes)), color="C0", linewidth=1)
        ax.axhline(0, color="0.3", linewidth=0.8)
        limits = sizes[0] / 1.1, sizes[-1] * 1.1
        if judged.low < limits[1] and judged.high > limits[0]:
            ax.axvspan(max(judged.low, limits[0]), min(judged.high, limits[1]), color="C1", alpha=0.15, linewidth=0)
        if limits[0] < judged.estimate < limits[1]:
            ax.axvline(judged.estimate, color="C1", linewidth=1)
        _size_axis(ax)
        ax.set_xlim(limits)
        ax.set_xlabel(SIZES.get(test.size, test.size))
        ax.set_ylabel(f"lead ({unit_of(test.outcome)})")
        ax.set_title(title)
    return figure


def interference_accuracy(runs: pd.DataFrame) -> Figure:
    """Accuracy against r at equal budget: a point a configuration, whiskers the standard deviation over seeds.

    The dashed line goes through the configurations of a budget (slope between); the short strokes have the slope that
    the seeds of a configuration have in common (slope within). The two may differ in sign.
    """
    base = runs[(runs["probe"] == "none") & runs["r_projection"].notna() & runs["test_accuracy"].notna()]
    budgets = sorted(base["budget"].unique(), key=parse_budget)[:4]
    architectures = list(dict.fromkeys(base["architecture"]))
    colours = sns.color_palette("colorblind", len(architectures))
    figure, axes = plt.subplots(
        1, max(1, len(budgets)), figsize=(TEXT_WIDTH, 2.4), sharex=True, squeeze=False, layout="constrained"
    )
    for ax, budget in zip(axes[0], budgets, strict=False):
        here = base[base["budget"] == budget]
        points = pd.DataFrame(
            {"name": here["architecture"], "x": here["r_projection"], "y": 100 * here["test_accuracy"]}
        )
        means = points.groupby("name")[["x", "y"]].mean()
        apart = points[["x", "y"]] - points.groupby("name")[["x", "y"]].transform("mean")
        within = (apart["x"] * apart["y"]).sum() / (apart["x"] ** 2).sum() if (apart["x"] ** 2).sum() > 0 else np.nan
        for place, (name, colour) in enumerate(zip(architectures, colours, strict=True)):
            group = points[points["name"] == name]
            if group.empty:
                continue
            (x, y), spread = means.loc[name], group[["x", "y"]].std()
            marker = MARKERS[place % len(MARKERS)]
            ax.errorbar(
                x,
                y,
                xerr=spread["x"],
                yerr=spread["y"],
                color=colour,
                marker=marker,
                linestyle="",
                elinewidth=0.8,
                label=architecture_label(name),
            )
            ends = np.array([group["x"].min(), group["x"].max()])
            ax.plot(ends, y + within * (ends - x), color=colour, linewidth=1.6, alpha=0.5)
        if len(means) > 2:
            slope, start = np.polyfit(means["x"], means["y"], 1)
            ends = np.array([means["x"].min(), means["x"].max()])
            ax.plot(ends, start + slope * ends, color="0.3", linestyle="--", linewidth=0.9, label="between")
        ax.axvline(1, color="0.3", linewidth=0.8, linestyle=":")
        ax.set_title(f"budget {budget}")
    axes[0][0].set_ylabel("test accuracy (%)")
    figure.supxlabel("projection dimensionality / null (r); less interference to the right", fontsize=8)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def scaling(runs: pd.DataFrame) -> Figure:
    """Test accuracy against size, a panel an accounting, a line an architecture with its own activation."""
    base = runs[runs["probe"] == "none"]
    architectures = list(dict.fromkeys(base["architecture"]))
    colours = sns.color_palette("colorblind", len(architectures))
    figure, axes = plt.subplots(
        1, len(SIZES), figsize=(TEXT_WIDTH, 2.5), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, (column, label) in zip(axes[0], SIZES.items(), strict=True):
        for place, (name, colour) in enumerate(zip(architectures, colours, strict=True)):
            groups = base[base["architecture"] == name].groupby("budget", sort=False)
            points = sorted((g[column].mean(), *_interval(100 * g["test_accuracy"])) for _, g in groups)
            ax.errorbar(
                [size for size, _, _ in points],
                [mean for _, mean, _ in points],
                yerr=[half for _, _, half in points],
                color=colour,
                marker=MARKERS[place % len(MARKERS)],
                label=architecture_label(name),
                elinewidth=0.8,
                capsize=1.5,
            )
        _size_axis(ax)
        ax.set_xlabel(label)
    axes[0][0].set_ylabel("test accuracy (%)")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def _tests(registry: Registry, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
    """Tests of a kind, with what a panel is called."""
    for claim in registry.claims:
        for test in claim.tests:
            if isinstance(test, kind):
                yield f"{claim.id} {test.id.replace('_', ' ')}", test


def _panels(count: int) -> tuple[Figure, np.ndarray]:
    """Up to three panels in a row; those that are left over are empty."""
    columns = min(3, count)
    rows = -(-count // columns)
    size = (TEXT_WIDTH * columns / 3 if columns > 1 else 3.0, 2.1 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, axes


def _interval(values: np.ndarray | pd.Series) -> tuple[float, float]:
    estimate = mean_interval(np.asarray(values)[np.isfinite(values)])
    return estimate.mean, estimate.half_width


def _means(ax: Axes, x: np.ndarray, values: np.ndarray, **style) -> None:
    """Mean over seeds with its 95 % interval, for values of shape (k, seeds)."""
    means, halves = zip(*map(_interval, values), strict=True)
    ax.errorbar(x, means, yerr=halves, capsize=1.5, **style)


def _size_axis(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: format_budget(round(size)) if size >= 1 else ""))
    ax.xaxis.set_minor_formatter(NullFormatter())
