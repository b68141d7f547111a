"""Which features toy models keep, by importance and density."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lowparam.report.context import Context
from lowparam.studies.toy.phase import boundary

CAPTION = "Which features toy models keep, by importance and density, with the boundary in closed form."
OF = "toy"
ORDER = 12

OUTCOMES = {
    "neither": ("neither", "#f0f0f0"),
    "first": ("first feature alone", "#9ecae1"),
    "second": ("second feature alone", "#a1d99b"),
    "superposition": ("both, in superposition", "#e6550d"),
}


def make(context: Context) -> Figure:
    """Draw the figure from ``phase.csv``."""
    return draw(context.read("phase"))


def draw(phase: pd.DataFrame) -> Figure:
    """Draw the outcome of each cell, and the boundary where the closed-form losses are equal."""
    order = list(OUTCOMES)
    grid = phase.assign(code=phase["outcome"].map(order.index)).pivot(
        index="importance", columns="density", values="code"
    )
    figure, axis = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
    axis.pcolormesh(
        grid.columns,
        grid.index,
        grid.to_numpy(),
        cmap=ListedColormap([color for _, color in OUTCOMES.values()]),
        vmin=-0.5,
        vmax=len(order) - 0.5,
        shading="nearest",
    )
    importance = np.geomspace(grid.index.min(), grid.index.max(), 200)
    (line,) = axis.plot([boundary(i) for i in importance], importance, "k--")
    axis.set(xscale="log", yscale="log", xlabel="density p", ylabel="importance of the second feature")
    axis.grid(False)
    seen = [
        Patch(color=color, label=label) for key, (label, color) in OUTCOMES.items() if (phase["outcome"] == key).any()
    ]
    line.set_label("closed-form boundary")
    figure.legend(handles=[*seen, line], loc="outside lower center", ncols=2, frameon=False)
    sns.despine(ax=axis)
    return figure
