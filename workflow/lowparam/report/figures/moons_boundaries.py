"""Decision boundaries on the two moons."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from lowparam.report.context import Context
from lowparam.report.style import TEXT_WIDTH
from lowparam.report.tables.moons import MACHINES
from lowparam.studies.star.moons import X_RANGE, Y_RANGE, training_points

CAPTION = "Decision boundaries of star and sum networks and of support vector machines on the two moons."
OF = "star"
ORDER = 11


def make(context: Context) -> Figure:
    """Draw the figure from ``moons.csv`` and ``moons_grid.safetensors``."""
    return draw(context.read("moons"), load_file(context.folder / "moons_grid.safetensors"))


def draw(moons: pd.DataFrame, grids: dict[str, np.ndarray]) -> Figure:
    """Draw the boundaries and the training points; shade: share of seeds that predict label 1."""
    panels = [
        ("++++-relu", "sum, ReLU"),
        ("SSSS-relu", "star, ReLU"),
        ("svm_poly", MACHINES["svm_poly"]),
        ("++++-none", "sum, no activation"),
        ("SSSS-none", "star, no activation"),
        ("svm_rbf", MACHINES["svm_rbf"]),
    ]
    seeds = moons.loc[moons["seed"] >= 0, "seed"].nunique()
    colours = sns.color_palette("colorblind")
    shades = LinearSegmentedColormap.from_list("vote", [(*colours[1], 0.45), (1, 1, 1, 1), (*colours[0], 0.45)])
    points = training_points()
    figure, axes = plt.subplots(2, 3, figsize=(TEXT_WIDTH, 4.5), sharex=True, sharey=True, layout="constrained")
    for ax, (name, title) in zip(axes.flat, panels, strict=True):
        share = grids[name] / (1 if name in MACHINES else seeds)
        image = ax.imshow(
            share, origin="lower", extent=(*X_RANGE, *Y_RANGE), cmap=shades, vmin=0, vmax=1, rasterized=True
        )
        ax.contour(share, levels=[0.5], extent=(*X_RANGE, *Y_RANGE), colors="0.25", linewidths=0.8)
        for label, marker in ((0, "o"), (1, "^")):
            chosen = points.x[points.y == label]
            ax.scatter(
                *chosen.T, s=7, marker=marker, color=colours[label ^ 1], edgecolor="0.2", linewidth=0.3, zorder=2
            )
        ax.set_title(title)
        ax.grid(False)
    for ax in axes[-1]:
        ax.set_xlabel("x")
    for ax in axes[:, 0]:
        ax.set_ylabel("y")
    figure.colorbar(image, ax=axes, shrink=0.5, label=f"share of {seeds} seeds that predict ▲")
    return figure
