"""The verdicts of an experiment as figures: all estimates, and the ablations in one factor."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_TESTED, SUPPORTED, NotTested
from lowparam.claims.kinds.contrast import contrast, over_budgets
from lowparam.claims.kinds.paired import Paired
from lowparam.claims.registry import Registry
from lowparam.claims.statistics import mean_interval
from lowparam.report.labels import architecture_label
from lowparam.report.style import TEXT_WIDTH, only_text

__all__ = ["ablation", "forest"]

COLOURS = {SUPPORTED: "#1b7837", CONTRADICTED: "#b2182b", INCONCLUSIVE: "0.45"}
SHAPES = {SUPPORTED: "o", CONTRADICTED: "s", INCONCLUSIVE: "D"}  # not by colour alone
ABLATED = {"r_projection": "change of r at projections", "test_accuracy": "change of test accuracy (points)"}


def forest(judged: pd.DataFrame) -> Figure:
    """Estimate and interval of every test that has runs, a panel a unit; the colour is the verdict after correction."""
    there = np.isfinite(judged[["estimate", "low", "high"]].astype(float)).all(axis=1)  # an open interval has no place
    tested = judged[judged["verdict"].ne(NOT_TESTED) & there]
    units = list(dict.fromkeys(tested["unit"]))
    if not units:
        return only_text("No claim could be tested on these runs.")
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


def ablation(runs: pd.DataFrame, registry: Registry) -> Figure:
    """Every block changed in one factor, against itself: interference on the left, accuracy on the right.

    The pairs are those of the registry's paired tests between two ablations; seeds are paired, budgets averaged.
    """
    pairs = dict.fromkeys(
        (test.plus["architecture"][0], test.minus["architecture"][0])
        for claim in registry.claims
        for test in claim.tests
        if isinstance(test, Paired) and _is_ablation(test)
    )
    found: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for plus, minus in pairs:
        arms = {"architecture": [plus]}, {"architecture": [minus]}
        try:
            changes = {o: over_budgets(contrast(runs, [(1, *arms)], o)) for o in ABLATED}
        except NotTested:
            continue
        found[plus, minus] = changes
    if not found:
        return only_text("No block was changed in one factor in these runs.")
    figure, axes = plt.subplots(
        1, len(ABLATED), figsize=(TEXT_WIDTH, 0.7 + 0.3 * len(found)), sharey=True, layout="constrained"
    )
    for ax, (outcome, label) in zip(axes, ABLATED.items(), strict=True):
        for place, changes in enumerate(found.values()):
            values = changes[outcome]
            estimate = mean_interval(values)
            ax.plot(values, np.full(len(values), place), "|", color="0.6", markersize=7)
            ax.errorbar(estimate.mean, place, xerr=estimate.half_width, color="C0", marker="o", capsize=1.5)
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_xlabel(label)
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(
        range(len(found)), [f"{architecture_label(p)}\nagainst {architecture_label(m)}" for p, m in found]
    )
    axes[0].set_ylim(len(found) - 0.5, -0.5)
    return figure


def _is_ablation(test: Paired) -> bool:
    """Whether a test sets one changed block against the block it was made from."""
    sides = [arm["architecture"] if arm else [] for arm in (test.plus, test.minus)]
    return all(len(names) == 1 and names[0].startswith("ablation_") for names in sides)
