"""Cosines between the directions of the last projection, sorted by similarity."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.cluster import hierarchy
from torch import Tensor

from lowparam.interference.direction_sets import cosines
from lowparam.report.context import Context, Profiles
from lowparam.report.figures._arrays import last
from lowparam.report.style import TEXT_WIDTH, only_text

CAPTION = (
    "{family}: cosines between the directions of the last projection, sorted so that similar ones are neighbours, with "
    "their lengths below; first seed at the largest size. Right: random directions of the same lengths."
)
PER = "family"
ORDER = 210
ON_PAGE = False


def make(context: Context) -> Figure:
    """Draw the figure of a family."""
    return draw(context.profiles)


def draw(profiles: Profiles, seed: int = 0) -> Figure:
    """Draw cosines between the directions of the last projection, and between random directions for comparison.

    Directions are sorted so that similar ones are neighbours (average linkage); their lengths are drawn below.
    The random ones have the lengths of the first network's, and are sorted the same way.
    """
    shown = {label: last(found, "directions") for label, found in profiles.arrays.items()}
    shown = {label: vectors.double() for label, vectors in shown.items() if vectors is not None}
    if not shown:
        return only_text("No projection was kept.")
    first = next(iter(shown.values()))
    random = torch.randn(first.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    shown["null: random directions"] = random / random.norm(dim=0) * first.norm(dim=0)
    figure, axes = plt.subplots(
        2,
        len(shown),
        figsize=(min(TEXT_WIDTH, 0.8 + 2.2 * len(shown)), 4.1),
        height_ratios=(2, 1),
        sharex="col",
        squeeze=False,
        layout="constrained",
    )
    for (above, below), (label, vectors) in zip(axes.T, shown.items(), strict=True):
        vectors = vectors[:, vectors.norm(dim=0) > 1e-3 * vectors.norm(dim=0).max()]
        vectors = vectors[:, _in_clusters(vectors)]
        matrix, norms = cosines(vectors).fill_diagonal_(0), vectors.norm(dim=0)
        image = above.imshow(matrix.numpy(), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
        above.set(title=f"{label}\n{vectors.shape[1]} in {vectors.shape[0]} dimensions", yticks=[])
        above.tick_params(bottom=False)
        below.fill_between(range(len(norms)), (norms / norms.max()).numpy(), color="0.5", step="mid", linewidth=0)
        below.set(yticks=[], ylim=(0, 1.05), xlim=(0, len(norms) - 1), xlabel="direction")
        above.grid(False), below.grid(False)
    axes[1, 0].set_ylabel("length")
    figure.colorbar(image, ax=axes[0], label="cosine", pad=0.01)
    return figure


def _in_clusters(vectors: Tensor) -> list[int]:
    """Return an order of the columns (m, n) in which directions similar up to sign are neighbours."""
    apart = (1 - cosines(vectors).abs()).clamp(min=0).numpy()
    return hierarchy.leaves_list(hierarchy.average(apart[np.triu_indices(len(apart), 1)])).tolist()
