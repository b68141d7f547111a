"""Inner products of the features of toy models."""

import pandas as pd
from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.layout import panels

CAPTION = "Inner products (WᵀW) of the features of toy models whose best solution is known."
OF = "toy"
ORDER = 10


def make(context: Context) -> Figure:
    """Draw the figure from ``shapes.csv`` and ``grams.csv``."""
    return draw(context.read("shapes"), context.read("grams"))


def draw(shapes: pd.DataFrame, grams: pd.DataFrame) -> Figure:
    """Draw the matrix of inner products of each model."""
    names = list(shapes["shape"].unique())
    figure, axes = panels(len(names))
    limit = grams["value"].abs().max()
    for axis, name in zip(axes, names, strict=True):
        model = shapes[shapes["shape"] == name].iloc[0]
        matrix = grams[grams["shape"] == name].pivot(index="i", columns="j", values="value").to_numpy()
        image = axis.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(f"{name}\nn = {model['n']}, m = {model['m']}, p = {model['density']:g}")
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
    figure.colorbar(image, ax=axes, shrink=0.6, label=r"$W^\top W$")
    return figure
