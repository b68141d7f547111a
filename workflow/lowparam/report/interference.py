"""Figures of one interference profile: lines over the layers, and heatmaps of directions and of cross-talk."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lowparam.claims.statistics import mean_interval
from lowparam.interference.frames import cosines
from lowparam.report.style import MARKERS, TEXT_WIDTH, in_style, save

__all__ = ["cross_talk_figure", "draw_profile", "gram_figure", "profile_figure", "spectrum_figure"]

PANELS = (
    ("dimensionality_ratio", ("projection", "reduction"), "r, projections"),
    ("chi", ("stream",), "class cross-talk χ"),
    ("log_ci", ("projection", "reduction"), "log CI, nats"),
    ("capacity_used", ("stream",), "capacity used, PR / C"),
)


def draw_profile(profiles: Sequence[pd.DataFrame], path: Path) -> None:
    """Write `profile_figure` as ``<path>.pdf`` and ``<path>.png``."""
    with in_style():
        save(profile_figure(profiles), path)


def profile_figure(profiles: Sequence[pd.DataFrame]) -> Figure:
    """Four measures over the blocks of a network.

    Parameters
    ----------
    profiles : sequence of DataFrame
        profile.csv of each seed of one scale. With several, the band is the 95 % interval over seeds; with one, it is
        that over images.
    """
    figure, axes = plt.subplots(1, len(PANELS), figsize=(TEXT_WIDTH, 2.2), layout="constrained")
    for axis, (measure, kinds, label) in zip(axes, PANELS, strict=True):
        rows = [p[(p["measure"] == measure) & p["kind"].isin(kinds)].set_index("site") for p in profiles]
        if rows[0].empty:
            axis.text(0.5, 0.5, "no such layer", transform=axis.transAxes, ha="center", color="0.5")
        else:
            _lines(axis, rows)
            if measure == "chi":
                floor = profiles[0][profiles[0]["measure"] == "chi_floor"]["value"].to_numpy()
                axis.plot(range(1, len(floor) + 1), floor, color="black", linestyle=":", label="forced floor")
            null = rows[0]["null"].to_numpy()
            axis.plot(range(1, len(null) + 1), null, color="0.4", linestyle="--", label="null")
        axis.set(title=label, xlabel="block")
        axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
    handles = {text: handle for axis in axes for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    return figure


def _lines(axis: Axes, rows: list[pd.DataFrame]) -> None:
    """The trained line with its band, and the untrained one."""
    sites = rows[0].index
    blocks = np.arange(1, len(sites) + 1)
    for column, color, label in (("untrained", "tab:gray", "untrained"), ("value", "tab:blue", "trained")):
        seeds = np.array([row.reindex(sites)[column].to_numpy(float) for row in rows])
        if np.isnan(seeds).all():
            continue
        if len(rows) > 1:
            estimates = [mean_interval(block[~np.isnan(block)]) for block in seeds.T]
            mean = np.array([estimate.mean for estimate in estimates])
            half = np.array([estimate.half_width for estimate in estimates])
            lower, upper = mean - half, mean + half
        else:
            mean = seeds[0]
            inside = column == "value"
            lower = rows[0]["lower"].to_numpy(float) if inside else mean
            upper = rows[0]["upper"].to_numpy(float) if inside else mean
        axis.plot(blocks, mean, color=color, marker=MARKERS[0], label=label)
        axis.fill_between(blocks, lower, upper, color=color, alpha=0.2, linewidth=0)
    axis.set_xticks(blocks if len(blocks) <= 8 else blocks[:: -(-len(blocks) // 6)])


def gram_figure(vectors: Tensor, title: str = "", seed: int = 0) -> Figure:
    """Cosines between the vectors of W' (m, n), and beside them those of random directions.

    The vectors are sorted by norm, which is drawn below; the diagonal, all ones, is left out.
    """
    vectors = vectors[:, vectors.norm(dim=0).argsort(descending=True)].double().cpu()
    norms = vectors.norm(dim=0)
    random = torch.randn(vectors.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    figure, axes = plt.subplots(
        2, 2, figsize=(TEXT_WIDTH * 0.75, 3.2), height_ratios=(8, 1), layout="constrained", sharex="col"
    )
    for column, (matrix, name) in enumerate(
        ((vectors, title or r"$W'^\top W'$, cosines"), (random, "random directions"))
    ):
        matrix = cosines(matrix).fill_diagonal_(0)
        image = axes[0, column].imshow(matrix.numpy(), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        axes[0, column].set(title=name, yticks=[])
        axes[0, column].grid(False)
        axes[1, column].fill_between(range(len(norms)), (norms / norms.max()).numpy(), color="0.5", step="mid")
        axes[1, column].set(yticks=[], xlabel="direction, by norm", ylabel="" if column else "norm")
    figure.colorbar(image, ax=axes[0], shrink=0.8, label="cosine")
    return figure


def spectrum_figure(covariance: Tensor, samples: int, title: str = "") -> Figure:
    """Eigenvalues of a feature map's correlation matrix, with the range that independent samples of noise would have.

    Parameters
    ----------
    covariance : Tensor
        (C, C).
    samples : int
        Independent samples behind it; images, to be on the safe side. The band is that of Marchenko and Pastur.
    """
    deviation = covariance.diagonal().clamp(min=1e-30).sqrt()
    values = torch.linalg.eigvalsh((covariance / deviation[:, None] / deviation).double()).flip(0).cpu().numpy()
    ratio = (len(values) / samples) ** 0.5
    figure, axis = plt.subplots(figsize=(TEXT_WIDTH / 2, 2.4), layout="constrained")
    axis.axhspan(max(1e-6, (1 - ratio) ** 2), (1 + ratio) ** 2, color="0.85", label="independent channels")
    axis.plot(np.arange(1, len(values) + 1), values.clip(1e-6), marker=".", label="measured")
    axis.set(xscale="log", yscale="log", xlabel="rank", ylabel="eigenvalue", title=title)
    axis.legend()
    return figure


def cross_talk_figure(effects: Tensor, classes: Sequence[str], title: str = "") -> Figure:
    """J (K, K): what a push towards the class of a row does to the logit of the class of a column."""
    matrix = (effects / effects.abs().max()).cpu().numpy()
    figure, axis = plt.subplots(figsize=(TEXT_WIDTH / 2, 3.0), layout="constrained")
    image = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axis.set(title=title, xlabel="logit", ylabel="pushed towards")
    axis.grid(False)
    if len(classes) <= 20:
        axis.set_xticks(range(len(classes)), classes)
        axis.set_yticks(range(len(classes)), classes)
    figure.colorbar(image, label="change of the logit / largest")
    return figure
