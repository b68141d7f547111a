"""Feature dimensionality of toy models against sparsity."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.layout import legend
from lowparam.report.style import MARKERS, TEXT_WIDTH

CAPTION = "Feature dimensionality of toy models as features become sparser, with the values of the known polytopes."
OF = "toy"
ORDER = 11

POLYTOPES = {"1": 1, "3/4": 3 / 4, "2/3": 2 / 3, "1/2": 1 / 2, "2/5": 2 / 5, "3/8": 3 / 8}
"""Dimensionality of features that form a polytope (Elhage et al. 2022)."""


def make(context: Context) -> Figure:
    """Draw the figure from ``sweep.csv`` and ``sweep_features.csv``."""
    return draw(context.read("sweep"), context.read("sweep_features"))


def draw(sweep: pd.DataFrame, features: pd.DataFrame) -> Figure:
    """Draw the dimensionality of every feature, and the mean over features."""
    figure, axis = plt.subplots(figsize=(TEXT_WIDTH, 3.2), layout="constrained")
    for label, value in POLYTOPES.items():
        axis.axhline(value, color="0.75", linewidth=0.7, zorder=0)
        side = {"2/5": "bottom", "3/8": "top"}.get(label, "center")
        axis.text(1.01, value, label, transform=axis.get_yaxis_transform(), va=side, fontsize=7, color="0.4")
    # Shift points a little, so that equal features can be counted.
    spread = np.random.default_rng(0).uniform(-0.06, 0.06, len(features))
    axis.scatter(np.exp(spread) / features["density"], features["dimensionality"], s=5, alpha=0.35, linewidth=0)
    mean = sweep.groupby("density")["features_per_dimension"].mean()
    axis.plot(1 / mean.index, 1 / mean, color="black", marker=MARKERS[0], label="dimensions per feature, $m/||W||^2$")
    axis.set(xscale="log", ylim=(0, 1.05), xlabel="sparsity, 1 / p", ylabel="feature dimensionality D")
    axis.grid(False)
    legend(figure)
    return figure
