"""The figures behind the verdicts."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from lowparam.claims.contrast import unit_of
from lowparam.claims.dose import Dose
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_TESTED, SUPPORTED, NotTested
from lowparam.claims.registry import Registry
from lowparam.claims.statistics import mean_interval
from lowparam.params import format_budget, parse_budget
from lowparam.report.labels import architecture_label
from lowparam.report.style import MARKERS, TEXT_WIDTH, in_style, save

__all__ = ["dose_response", "draw_claims", "forest", "interference_accuracy", "scaling"]

COLOURS = {SUPPORTED: "#1b7837", CONTRADICTED: "#b2182b", INCONCLUSIVE: "0.45"}
SHAPES = {SUPPORTED: "o", CONTRADICTED: "s", INCONCLUSIVE: "D"}  # not by colour alone
SIZES = {"parameters_total": "parameters", "parameters_body": "parameters without head", "macs": "multiply-adds"}


def draw_claims(judged: pd.DataFrame, runs: pd.DataFrame, registry: Registry, names: list[str], folder: Path) -> None:
    """Draw the named figures into `folder`, as PDF and PNG."""
    draw = {
        "claims": lambda: forest(judged),
        "dose_response": lambda: dose_response(runs, registry),
        "interference_accuracy": lambda: interference_accuracy(runs),
        "scaling": lambda: scaling(runs),
    }
    with in_style():
        for name in names:
            save(draw[name](), folder / name)


def forest(judged: pd.DataFrame) -> Figure:
    """Estimate and interval of every test that has runs, a panel a unit; the colour is the verdict after correction."""
    there = np.isfinite(judged[["estimate", "low", "high"]].astype(float)).all(axis=1)  # an open interval has no place
    tested = judged[judged["verdict"].ne(NOT_TESTED) & there]
    units = list(dict.fromkeys(tested["unit"]))
    if not units:
        return _only_text("No claim could be tested on these runs.")
    heights = [int((tested["unit"] == unit).sum()) for unit in units]
    figure, axes = plt.subplots(
        len(units),
        1,
        figsize=(TEXT_WIDTH, 0.6 + 0.19 * sum(heights) + 0.5 * len(units)),
        height_ratios=[height + 0.6 for height in heights],
        squeeze=False,
        layout="constrained",
    )
    for ax, unit in zip(axes[:, 0], units, strict=True):
        _panel(ax, tested[tested["unit"] == unit], unit)
    handles = [
        Line2D([], [], color=COLOURS[word], marker=SHAPES[word], linestyle="", label=word)
        for word in (SUPPORTED, CONTRADICTED, INCONCLUSIVE)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def dose_response(runs: pd.DataFrame, registry: Registry) -> Figure:
    """Every dose that the runs have, a panel a test: thin lines seeds, points the mean with its 95 % interval."""
    found = []
    for claim in registry.claims:
        for test in claim.tests:
            if isinstance(test, Dose):
                try:
                    found.append((f"{claim.id} {test.id.replace('_', ' ')}", test, test.responses(runs, test.outcome)))
                except NotTested:
                    continue
    found = [(title, test, (doses, values)) for title, test, (doses, values) in found if len(set(doses)) > 1]
    if not found:
        return _only_text("No dose was varied in these runs.")
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    size = (min(TEXT_WIDTH, 2.6 * columns), 2.2 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax, (title, test, (doses, values)) in zip(axes.flat, found, strict=False):
        order = np.argsort(doses)
        x = 2 ** doses[order] if test.doses is None else doses[order]
        means = [mean_interval(row[np.isfinite(row)]) for row in values[order]]
        ax.plot(x, values[order], color="0.75", linewidth=0.6)
        ax.errorbar(x, [e.mean for e in means], yerr=[e.half_width for e in means], color="C0", marker="o", capsize=1.5)
        if test.doses is None:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: format_budget(round(size)) if size >= 1 else ""))
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("parameters" if test.doses is None else "dose")
        ax.set_ylabel(unit_of(test.outcome) + (", difference" if test.minus else ""))
        ax.set_title(title)
    for ax in axes.flat[len(found) :]:
        ax.set_axis_off()
    return figure


def _only_text(text: str) -> Figure:
    figure, ax = plt.subplots(figsize=(TEXT_WIDTH, 1), layout="constrained")
    ax.text(0.5, 0.5, text, ha="center", va="center")
    ax.set_axis_off()
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, unit: str) -> None:
    for place, row in enumerate(rows.itertuples()):
        estimate = float(row.estimate)
        ax.plot([row.low, row.high], [place, place], color=COLOURS[row.verdict], linewidth=1)
        ax.plot(estimate, place, marker=SHAPES[row.verdict], color=COLOURS[row.verdict])
        if pd.notna(row.paper_value):
            ax.plot(row.paper_value, place, marker="|", markersize=8, color="black")
    labels = [f"{row.claim} {row.test.replace('_', ' ')}" + (" *" if row.primary else "") for row in rows.itertuples()]
    ax.set_yticks(range(len(rows)), labels)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.axvline(1 if "formula" in unit else 0, color="0.3", linewidth=0.8)
    if unit == "parameters":
        ax.set_xscale("log")
    ax.set_xlabel(f"{unit}   (* primary test, | the paper's value)")
    ax.grid(axis="y", visible=False)


def interference_accuracy(runs: pd.DataFrame) -> Figure:
    """Accuracy against r at equal budget: a point a configuration, whiskers the standard deviation over seeds."""
    base = runs[runs["activation"] == "base"]
    budgets = sorted(base["budget"].unique(), key=parse_budget)[:4]
    architectures = list(dict.fromkeys(base["architecture"]))
    colours = sns.color_palette("colorblind", len(architectures))
    figure, axes = plt.subplots(
        1, len(budgets), figsize=(TEXT_WIDTH, 2.4), sharex=True, squeeze=False, layout="constrained"
    )
    for ax, budget in zip(axes[0], budgets, strict=True):
        for place, (name, colour) in enumerate(zip(architectures, colours, strict=True)):
            group = base[(base["budget"] == budget) & (base["architecture"] == name)]
            x, y = group["r_projection"], 100 * group["test_accuracy"]
            if x.notna().any():
                ax.errorbar(
                    x.mean(),
                    y.mean(),
                    xerr=x.std(),
                    yerr=y.std(),
                    color=colour,
                    marker=MARKERS[place % len(MARKERS)],
                    linestyle="",
                    elinewidth=0.8,
                    label=architecture_label(name),
                )
        ax.axvline(1, color="0.3", linewidth=0.8, linestyle=":")
        ax.set_title(f"budget {budget}")
    axes[0][0].set_ylabel("test accuracy (%)")
    figure.supxlabel("projection dimensionality / null (r); less interference to the right", fontsize=8)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def scaling(runs: pd.DataFrame) -> Figure:
    """Test accuracy against size, a panel an accounting, a line an architecture with its own activation."""
    base = runs[runs["activation"] == "base"]
    architectures = list(dict.fromkeys(base["architecture"]))
    colours = sns.color_palette("colorblind", len(architectures))
    figure, axes = plt.subplots(
        1, len(SIZES), figsize=(TEXT_WIDTH, 2.5), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, (column, label) in zip(axes[0], SIZES.items(), strict=True):
        for place, (name, colour) in enumerate(zip(architectures, colours, strict=True)):
            groups = base[base["architecture"] == name].groupby("budget", sort=False)
            points = [(g[column].mean(), mean_interval(100 * g["test_accuracy"])) for _, g in groups]
            points.sort(key=lambda point: point[0])
            ax.errorbar(
                [size for size, _ in points],
                [e.mean for _, e in points],
                yerr=[e.half_width for _, e in points],
                color=colour,
                marker=MARKERS[place % len(MARKERS)],
                label=architecture_label(name),
                elinewidth=0.8,
                capsize=1.5,
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: format_budget(round(size)) if size >= 1 else ""))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel(label)
    axes[0][0].set_ylabel("test accuracy (%)")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure
