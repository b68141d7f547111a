"""Phase diagram of known features: which share of them networks explain, over their number and their sparsity."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lowparam.report.context import Context
from lowparam.report.figures._doses import smallest
from lowparam.report.known_doses import dosed_runs

CAPTION = (
    "Share of the known features that networks explain, over their number and the probability that one is present, at "
    "the smallest budget: mean over architectures and {seeds} seeds. Framed: doses at which more features are "
    "explained, on average, than networks of these shapes could explain without activations."
)
APPLIES = ("has_known_features",)
SHOWN = True
ORDER = 62


def make(context: Context) -> Figure:
    """Draw the figure from the runs of the experiment."""
    return draw(dosed_runs(context))


def draw(runs: pd.DataFrame) -> Figure:
    """Draw a cell for each dose, with its share."""
    means = smallest(runs).groupby(["presence", "features"])[["features_explained", "features_limit"]].mean()
    table = means.reset_index()
    table["share"] = table["features_explained"] / table["features"]
    table["above"] = (table["features_explained"] > table["features_limit"]).astype(float)
    shares, above = (table.pivot(index="presence", columns="features", values=name) for name in ("share", "above"))
    figure, ax = plt.subplots(figsize=(4.6, 2.6), layout="constrained")
    drawn = ax.imshow(shares, vmin=0, vmax=1, cmap="viridis", aspect="auto", origin="lower")
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        if np.isfinite(share):
            ax.text(column, row, f"{share:.2f}", ha="center", va="center", color="white" if share < 0.6 else "black")
        if above.to_numpy()[row, column] == 1:
            ax.add_patch(Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, edgecolor="red"))
    ax.set_xticks(range(shares.shape[1]), [f"{n:g}" for n in shares.columns])
    ax.set_yticks(range(shares.shape[0]), [f"{p:g}" for p in shares.index])
    ax.set(xlabel="known features", ylabel="presence")
    ax.grid(False)
    figure.colorbar(drawn, ax=ax, label="share explained")
    return figure
