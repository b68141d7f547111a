"""Blocks changed in one factor, compared with themselves."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from lowparam import architectures
from lowparam.claims.finding import NotTested
from lowparam.claims.kinds.contrast import contrast, over_budgets
from lowparam.claims.kinds.paired import Paired
from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.labels import architecture_label
from lowparam.report.style import TEXT_WIDTH, only_text

CAPTION = (
    "Blocks changed in one factor compared with the unchanged block, in interference and in accuracy, paired by "
    "seed: mean with 95 % t interval; strokes are seeds."
)
OF = "verdicts"
ORDER = 5
SHOWN = True

ABLATED = {"r_projection": "change of r at projections", "test_accuracy": "change of test accuracy (points)"}


def make(context: Context) -> Figure:
    """Draw interference on the left, accuracy on the right, one row for each pair of blocks.

    The pairs are those of the registry's paired tests between two ablations; seeds are paired, budgets averaged.
    """
    runs, registry = context.runs, context.registry
    pairs = dict.fromkeys(
        pair
        for claim in registry.claims
        for test in claim.tests
        if isinstance(test, Paired) and (pair := _blocks(test))
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


def _blocks(test: Paired) -> tuple[str, str] | None:
    """Return the changed block and the block it was derived from, if the test compares such two."""
    names = [arm["architecture"] if arm else [] for arm in (test.plus, test.minus)]
    if any(len(side) != 1 for side in names) or not architectures.share_origin(name for side in names for name in side):
        return None
    return names[0][0], names[1][0]
