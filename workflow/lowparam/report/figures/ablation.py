"""Blocks changed in one factor, compared with themselves."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from lowparam.claims.contrasts import contrast, over_budgets
from lowparam.claims.finding import NotTested
from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.figures._tests import findings_in
from lowparam.report.labels import architecture_label
from lowparam.report.layout import draw_means, value_axis
from lowparam.report.style import TEXT_WIDTH, only_text

CAPTION = (
    "Blocks changed in one factor compared with the unchanged block, in interference and in accuracy, paired by "
    "seed: mean with 95 % t interval; strokes are seeds. "
    "Arrows: the interval is longer than the axis."
)
OF = "verdicts"
ORDER = 5
SHOWN = True

ABLATED = {"r_projection": "change of r at projections", "test_accuracy": "change of test accuracy (points)"}


def make(context: Context) -> Figure:
    """Draw interference on the left, accuracy on the right, one row for each pair of blocks.

    The pairs are those of the tests with ``figure: ablation`` in workflow/claims; seeds are paired, budgets averaged.
    """
    changes: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for _, test, finding in findings_in(context, "ablation"):
        blocks = test.plus["architecture"][0], test.minus["architecture"][0]
        changes.setdefault(blocks, {})[test.outcome] = finding.data["seeds"]
    for blocks, by_outcome in changes.items():
        for outcome in ABLATED.keys() - by_outcome.keys():  # no test needs it
            by_outcome[outcome] = _change(context, *blocks, outcome)
    if not changes:
        return only_text("No block was changed in one factor in these runs.")
    figure, axes = plt.subplots(
        1, len(ABLATED), figsize=(TEXT_WIDTH, 0.7 + 0.3 * len(changes)), sharey=True, layout="constrained"
    )
    for ax, (outcome, label) in zip(axes, ABLATED.items(), strict=True):
        for place, by_outcome in enumerate(changes.values()):
            values = by_outcome[outcome]
            ax.plot(values, np.full(len(values), place), "|", color="0.6", markersize=7)
            draw_means(ax, [place], [mean_interval(values)], across=True, color="C0", marker="o")
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_xlabel(label)
        value_axis([ax], "x", include=[0, *(seed for found in changes.values() for seed in found[outcome])])
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(
        range(len(changes)), [f"{architecture_label(p)}\nagainst {architecture_label(m)}" for p, m in changes]
    )
    axes[0].set_ylim(len(changes) - 0.5, -0.5)
    return figure


def _change(context: Context, plus: str, minus: str, outcome: str) -> np.ndarray:
    """Compute the change of an outcome, one value per seed; empty if it cannot be computed."""
    arms = {"architecture": [plus]}, {"architecture": [minus]}
    try:
        return over_budgets(contrast(context.runs, [(1, *arms)], outcome))
    except NotTested:
        return np.array([])
