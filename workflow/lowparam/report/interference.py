"""Figures of interference profiles: lines over the blocks, directions, spectra and cross-talk at the ends of stages."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.cluster import hierarchy
from torch import Tensor

from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.files import read_csv
from lowparam.interference.direction_sets import cosines
from lowparam.interference.figure_data import read
from lowparam.interference.measures.class_cross_talk import chi
from lowparam.report.style import MARKERS, TEXT_WIDTH, in_style, save
from lowparam.report.table import Cell, Table

__all__ = [
    "cross_talk_figure",
    "directions_figure",
    "profile_figure",
    "profile_figures",
    "random_band",
    "spectra_figure",
    "summary_table",
    "write_model_report",
]

PANELS = (
    ("dimensionality_ratio", ("projection", "reduction"), "r, projections"),
    ("chi", ("stream",), "class cross-talk χ"),
    ("log_ci", ("projection", "reduction"), "log CI, projections (nats)"),
    ("capacity_used", ("stream",), "capacity used, PR / C"),
)
FORCED = "forced by the shape"
TRAINED, UNTRAINED = "tab:blue", "tab:gray"
COLOURS = ("tab:blue", "tab:red", "tab:green", "tab:purple")


def profile_figures(
    scales: Mapping[str, Sequence[pd.DataFrame]],
    arrays: Mapping[str, Mapping[str, Tensor]],
    classes: Sequence[str],
    line: str = "trained",
) -> dict[str, Figure]:
    """The four figures of one architecture, by the kinds in `contents.PROFILE_FIGURES`.

    Parameters
    ----------
    scales : mapping of str to sequence of DataFrame
        Profiles of each seed, by what is said of the network in print.
    arrays : mapping of str to mapping of str to Tensor
        What `lowparam.interference.figure_data` keeps of one seed, by the same names.
    classes : sequence of str
        Names of the classes.
    line : str
        What the networks are called beside the untrained ones.
    """
    return {
        "profile": profile_figure(scales, line),
        "directions": directions_figure(arrays),
        "spectra": spectra_figure(arrays),
        "cross_talk": cross_talk_figure(arrays, classes),
    }


def write_model_report(folder: Path, model: str, line: str = "trained") -> None:
    """Write the summary table and the figures of ``profile.csv`` and ``profile.safetensors`` beside them.

    `model` is the network's name in print, `line` what it is called beside the untrained one.
    """
    profile = read_csv(folder / "profile.csv")
    summary_table(profile, model).write(folder, "profile")
    arrays, classes = read(folder / "profile.safetensors")
    with in_style():
        for name, figure in profile_figures({line: [profile]}, {line: arrays}, classes, line).items():
            save(figure, folder / name)


def summary_table(profile: pd.DataFrame, model: str) -> Table:
    """Every measure, averaged over the sites of a kind, beside its null and the untrained network."""
    profile = profile[~profile["measure"].isin(["stride"])]
    rows, numbers = [], []
    for (measure, kind), sites in profile.groupby(["measure", "kind"], sort=False):
        defined = sites.dropna(subset="value")
        spread = {"least": defined["value"].min(), "largest": defined["value"].max()}
        means = defined[["value", "null", "untrained"]].mean()
        cells = [means["value"], *spread.values(), means["null"], means["untrained"]]
        rows.append(
            [measure, kind, f"{len(defined)} of {len(sites)}", *(Cell(Estimate(c, np.nan, 1), 3) for c in cells)]
        )
        numbers.append({"measure": measure, "kind": kind, "sites": len(defined), **means, **spread})
    return Table(
        name="summary",
        caption=f"Interference profile of {model}: mean over the sites of a kind at which a measure is defined, least "
        "and largest, mean with nothing learned (null), and mean in the untrained network.",
        header=["measure", "kind of site", "sites", "mean", "least", "largest", "null", "untrained"],
        rows=rows,
        labels=3,
        numbers=pd.DataFrame(numbers),
    )


def profile_figure(scales: Mapping[str, Sequence[pd.DataFrame]], line: str = "trained") -> Figure:
    """Four measures over the blocks, a row a network.

    With several seeds, the band is the 95 % interval over seeds; with one, it is that over images.
    """
    figure, axes = plt.subplots(
        len(scales),
        len(PANELS),
        figsize=(TEXT_WIDTH, 0.6 + 1.55 * len(scales)),
        sharex="col",
        sharey="col",
        squeeze=False,
        layout="constrained",
    )
    for row, (label, profiles) in zip(axes, scales.items(), strict=True):
        for axis, panel in zip(row, PANELS, strict=True):
            _panel(axis, profiles, line, *panel)
        row[0].set_ylabel(label if len(scales) > 1 else "")
    for axis in axes[-1]:
        axis.set(xlabel="block")
    for column, (*_, title) in zip(axes.T, PANELS, strict=True):
        column[0].set_title(title)
        # The means are to be seen; wide intervals of few seeds, and limits far away, may leave the panel.
        means, limits = (
            np.concatenate([np.zeros(1), *(line.get_ydata() for axis in column for line in axis.lines if chosen(line))])
            for chosen in (lambda line: line.get_label() != FORCED, lambda line: line.get_label() == FORCED)
        )
        low, high = np.nanmin(means), np.nanmax(means)
        high = max(high, min(np.nanmax(limits), 1.6 * high))
        if high > low:
            column[0].set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))
    handles = {}
    for axis in axes.flat:
        handles |= {text: handle for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _panel(
    axis: Axes, profiles: Sequence[pd.DataFrame], line: str, measure: str, kinds: Sequence[str], title: str
) -> None:
    """One measure over the blocks of one network."""
    rows = [p[(p["measure"] == measure) & p["kind"].isin(kinds)].set_index("site") for p in profiles]
    if rows[0]["value"].isna().all():
        axis.text(0.5, 0.5, "undefined", transform=axis.transAxes, ha="center", color="0.5")
        return
    blocks = np.arange(1, len(rows[0]) + 1)
    _lines(axis, rows, line)
    null = rows[0]["null"].to_numpy()
    axis.plot(blocks, null, color="black", linestyle="--", linewidth=0.8, label="null")
    limit = _forced(profiles[0], measure, rows[0].index)
    if limit is not None:
        axis.plot(blocks, limit, color="black", linestyle=":", linewidth=0.8, label=FORCED)
    axis.set_xticks(blocks if len(blocks) <= 8 else blocks[:: -(-len(blocks) // 6)])


def _forced(profile: pd.DataFrame, measure: str, sites: pd.Index) -> np.ndarray | None:
    """The least interference that the shape of a layer allows: the least χ; the largest r, that of a tight frame."""
    table = profile.set_index(["measure", "site"])
    at = lambda name, column="value": table.loc[name, column].reindex(sites).to_numpy()  # noqa: E731
    if measure == "chi":
        return at("chi_floor")
    if measure == "dimensionality_ratio":
        return at("floor_tight") / at("dimensionality", "null")
    return None


def _lines(axis: Axes, rows: list[pd.DataFrame], line: str) -> None:
    """The line of the network with its band, and that of the untrained one."""
    sites = rows[0].index
    blocks = np.arange(1, len(sites) + 1)
    for column, colour, label in (("untrained", UNTRAINED, "untrained"), ("value", TRAINED, line)):
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
        axis.plot(blocks, mean, color=colour, marker=MARKERS[0], label=label)
        axis.fill_between(blocks, lower, upper, color=colour, alpha=0.2, linewidth=0)


def directions_figure(arrays: Mapping[str, Mapping[str, Tensor]], seed: int = 0) -> Figure:
    """Cosines between the directions of the last projection kept, and beside them those of random directions.

    Directions are sorted so that similar ones are neighbours (average linkage); their lengths are drawn below.
    The random ones have the lengths of the first network's, and are sorted the same way.
    """
    shown = {label: _last(found, "directions") for label, found in arrays.items()}
    shown = {label: vectors.double() for label, vectors in shown.items() if vectors is not None}
    if not shown:
        return _nothing("no projection was kept")
    first = next(iter(shown.values()))
    random = torch.randn(first.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    shown["null: random directions"] = random / random.norm(dim=0) * first.norm(dim=0)
    figure, axes = plt.subplots(
        2,
        len(shown),
        figsize=(min(TEXT_WIDTH, 0.8 + 2.2 * len(shown)), 2.8),
        height_ratios=(7, 1),
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
    """An order of the columns (m, n) in which similar directions, up to sign, stand together."""
    apart = (1 - cosines(vectors).abs()).clamp(min=0).numpy()
    return hierarchy.leaves_list(hierarchy.average(apart[np.triu_indices(len(apart), 1)])).tolist()


def spectra_figure(arrays: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """Eigenvalues of the correlations between channels at the ends of stages, a panel a stage.

    The band is where those of independent channels lie, with as many samples as there are images (`random_band`).
    """
    sites = _sites(arrays, "eigenvalues")
    if not sites:
        return _nothing("no spectrum was kept")
    figure, axes = plt.subplots(
        1, len(sites), figsize=(TEXT_WIDTH, 2.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, site in zip(axes[0], sites, strict=True):
        networks = [(label, found, colour) for (label, found), colour in zip(arrays.items(), COLOURS, strict=False)]
        before = networks[0][1].get(f"untrained/{site}/eigenvalues")
        if before is not None:
            _spectrum(axis, before, UNTRAINED, "untrained")
        for label, found, colour in networks:
            if f"{site}/eigenvalues" in found:
                _spectrum(axis, found[f"{site}/eigenvalues"], colour, label)
        values, images = next(
            (found[f"{site}/eigenvalues"], found[f"{site}/images"])
            for found in arrays.values()
            if f"{site}/images" in found
        )
        axis.axhspan(*random_band(len(values), images.item()), color="0.88", zorder=0, label="independent channels")
        axis.set(xscale="log", yscale="log", xlabel="rank", title=f"{_place(site)}, {len(values)} channels")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda rank, _: f"{rank:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("eigenvalue of the correlations")
    least = min(line.get_ydata().min() for axis in axes[0] for line in axis.lines)
    axes[0, 0].set_ylim(bottom=max(1e-6, least / 2))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def random_band(channels: int, samples: float) -> tuple[float, float]:
    """Least and largest eigenvalue of the correlations of independent channels (Marchenko & Pastur 1967)."""
    ratio = (channels / samples) ** 0.5
    return max(1e-9, 1 - ratio) ** 2, (1 + ratio) ** 2


def _spectrum(axis: Axes, values: Tensor, colour: str, label: str) -> None:
    axis.plot(
        np.arange(1, len(values) + 1),
        values.clip(min=1e-9).numpy(),
        color=colour,
        marker=".",
        markersize=3,
        label=label,
    )


def cross_talk_figure(arrays: Mapping[str, Mapping[str, Tensor]], classes: Sequence[str]) -> Figure:
    """J at the ends of stages, a row a network: what a push towards a class (rows) does to each logit (columns).

    Each panel is scaled to its largest entry. Without interference the diagonal alone is red, and the rest evenly pale
    blue.
    """
    sites = _sites(arrays, "cross_talk")
    if not sites:
        return _nothing("χ is undefined")
    figure, axes = plt.subplots(
        len(arrays),
        len(sites),
        figsize=(TEXT_WIDTH, 0.5 + 1.95 * len(arrays)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    image = None
    for row, (label, found) in zip(axes, arrays.items(), strict=True):
        for axis, site in zip(row, sites, strict=True):
            axis.grid(False)
            effects = found.get(f"{site}/cross_talk")
            if effects is None:
                axis.text(0.5, 0.5, "undefined", transform=axis.transAxes, ha="center", color="0.5")
                continue
            matrix = (effects / effects.abs().max()).numpy()
            image = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            axis.set_title(f"{_place(site)}, χ = {chi(effects.double()).item():.2f}")
            if len(classes) == len(effects) <= 20:
                axis.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0)
                axis.set_yticks(range(len(classes)), classes)
        row[0].set_ylabel(f"{label}\npushed towards" if len(arrays) > 1 else "pushed towards")
    for axis in axes[-1]:
        axis.set_xlabel("logit")
    figure.colorbar(image, ax=axes, label="change of the logit / largest", shrink=0.7, pad=0.01)
    return figure


def _sites(arrays: Mapping[str, Mapping[str, Tensor]], what: str) -> list[str]:
    """Sites that have something, in the order of data, of all networks."""
    keys = dict.fromkeys(key for found in arrays.values() for key in found if not key.startswith("untrained/"))
    return sorted((key.removesuffix(f"/{what}") for key in keys if key.endswith(f"/{what}")), key=_natural)


def _last(found: Mapping[str, Tensor], what: str) -> Tensor | None:
    sites = _sites({"": found}, what)
    return found[f"{sites[-1]}/{what}"] if sites else None


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort stage 10 behind stage 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]


def _place(site: str) -> str:
    """``stages.1.0.stream`` as people count."""
    parts = site.split(".")
    if parts[0] == "stages" and len(parts) == 4:
        return f"stage {int(parts[1]) + 1}, block {int(parts[2]) + 1}"
    return site.removesuffix(".stream")


def _nothing(reason: str) -> Figure:
    """A figure that says why it shows nothing."""
    figure, axis = plt.subplots(figsize=(TEXT_WIDTH / 2, 0.6))
    axis.text(0.5, 0.5, reason, ha="center", va="center", color="0.5")
    axis.set_axis_off()
    return figure
