"""The figures of an experiment, sized for a two-column paper."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lowparam import catalogue
from lowparam.claims.statistics import mean_interval
from lowparam.files import read_csv, read_json
from lowparam.interference.figure_data import read
from lowparam.params import Params, format_budget, parse_budget
from lowparam.report.interference import profile_figures
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.star_figures import star_sweeps, star_variants_figure
from lowparam.report.star_interference import star_interference_figure
from lowparam.report.style import COLUMN_WIDTH, MARKERS, TEXT_WIDTH, in_style, save
from lowparam.report.tables import gap_by_seed

__all__ = ["draw_figures"]


def draw_figures(params: Params, experiment: str) -> None:
    """Draw every figure that `catalogue.figures` names into ``results/<experiment>/figures``, as PDF and PNG."""
    folder = Path("results", experiment)
    runs = read_csv(folder / "runs.csv")
    baseline = read_json(folder / "baseline.json")
    draw = {
        "accuracy": accuracy,
        "interference": interference,
        "solu_gap": solu_gap,
        "star_interference": star_interference_figure,
        "star_sweeps": star_sweeps,
        "star_variants": star_variants_figure,
    }
    names = catalogue.figures(params.experiment(experiment))
    with in_style():
        for name in draw.keys() & set(names):
            save(draw[name](runs, baseline), folder / "figures" / name)
        for family, members in catalogue.opened(params.experiment(experiment)).items():
            for kind, figure in profile_figures(*_inside(params, experiment, members[-1])).items():
                save(figure, folder / "figures" / catalogue.profile_name(kind, family))


def _inside(params: Params, experiment: str, architecture: str) -> tuple[dict, dict, list[str]]:
    """Profiles of all seeds of an architecture at its largest size, what is kept of the first seed, and the classes.

    Both by probe, the first two of the experiment, in its first variant.
    """
    runs = [run for run in params.runs(experiment) if run.scale.architecture == architecture]
    largest = max(run.scale.budget or 0 for run in runs)
    runs = [r for r in runs if (r.scale.budget or 0) == largest and r.scale.variant == runs[0].scale.variant]
    profiles, kept, classes = {}, {}, []
    for probe in params.experiment(experiment).probes[:2]:
        chosen = [run for run in runs if run.scale.probe == probe]
        label = probe_label(probe)
        profiles[label] = [read_csv(run.profile) for run in chosen]
        kept[label], classes = read(chosen[0].profile.with_suffix(".safetensors"))
    return profiles, kept, classes


def accuracy(runs: pd.DataFrame, baseline: dict) -> Figure:
    """Test accuracy against parameters, a panel an probe, a line an architecture."""
    figure, axes = _panels(runs)
    for ax, probe in zip(axes, _in_order(runs["probe"]), strict=True):
        _lines(ax, runs[runs["probe"] == probe].assign(value=lambda r: 100 * r["test_accuracy"]))
        threshold = 100 * baseline["test"]["accuracy"]
        ax.axhline(threshold, color="0.3", linestyle=":", linewidth=1, label="logistic regression")
        bottom, top = ax.get_ylim()
        ax.set_ylim(max(bottom, 0), min(top, 100.5))  # a t interval knows no bounds, an accuracy does
        ax.set_title(probe_label(probe))
    axes[0].set_ylabel("test accuracy (%)")
    _legend(figure, axes)
    return figure


def interference(runs: pd.DataFrame, baseline: dict) -> Figure:
    """Dimensionality ratio of the projections against parameters, with the spread of the null around 1."""
    figure, axes = _panels(runs, sharey=True)
    for ax, probe in zip(axes, _in_order(runs["probe"]), strict=True):
        chosen = runs[runs["probe"] == probe]
        band = 2 * chosen["r_projection_null_sd"].mean()
        ax.axhspan(1 - band, 1 + band, color="0.85", zorder=0, label="null, ± 2 sd")
        _lines(ax, chosen.assign(value=chosen["r_projection"]))
        ax.set_title(probe_label(probe))
    axes[0].set_ylabel("projection dimensionality / null (r)")
    _legend(figure, axes)
    return figure


def solu_gap(runs: pd.DataFrame, baseline: dict) -> Figure:
    """Accuracy lost to each probe: a row an architecture, a point a budget, whiskers the interval over seeds."""
    gaps = gap_by_seed(runs)
    probes, architectures = _in_order(gaps["probe"]), _in_order(gaps["architecture"])
    budgets = _in_order(gaps["budget"])
    colours = sns.color_palette("crest", len(budgets))
    columns = min(len(probes), 3)
    rows = -(-len(probes) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(max(COLUMN_WIDTH, 1.2 + 1.9 * columns), (0.5 + 0.26 * len(architectures)) * rows),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(probes) :]:
        ax.set_axis_off()
    for ax, probe in zip(axes.flat, probes, strict=False):
        for shift, (budget, colour) in enumerate(zip(budgets, colours, strict=True)):
            chosen = gaps[(gaps["probe"] == probe) & (gaps["budget"] == budget)]
            estimates = [mean_interval(chosen.loc[chosen["architecture"] == a, "gap"]) for a in architectures]
            offset = (shift - (len(budgets) - 1) / 2) * 0.16
            ax.errorbar(
                [e.mean for e in estimates],
                np.arange(len(architectures)) + offset,
                xerr=[e.half_width for e in estimates],
                fmt="o",
                color=colour,
                label=budget,
                elinewidth=0.9,
                capsize=1.5,
            )
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_title(probe_label(probe))
        ax.set_xlabel("SoLU gap (percentage points)")
        ax.grid(axis="y", visible=False)
    axes[0][0].set_yticks(range(len(architectures)), [architecture_label(a) for a in architectures])
    axes[0][0].set_ylim(len(architectures) - 0.5, -0.5)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", title="budget", frameon=False)
    return figure


def _panels(runs: pd.DataFrame, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """One panel an probe, side by side."""
    count = runs["probe"].nunique()
    figure, axes = plt.subplots(
        1,
        count,
        figsize=(min(TEXT_WIDTH, 1.2 + 2.6 * count), 2.6),
        sharex=True,
        sharey=sharey,
        squeeze=False,
        layout="constrained",
    )
    return figure, list(axes[0])


def _lines(ax: Axes, runs: pd.DataFrame) -> None:
    """Draw mean and interval of the column ``value`` over seeds, a line a family, against parameters."""
    families = catalogue.families(_in_order(runs["architecture"]))
    colours = sns.color_palette("colorblind", len(families))
    for place, ((name, members), colour) in enumerate(zip(families.items(), colours, strict=True)):
        groups = runs[runs["architecture"].isin(members)].groupby(["architecture", "budget"], sort=False)
        points = sorted((group["parameters_total"].mean(), mean_interval(group["value"])) for _, group in groups)
        # Neighbouring lines are set apart by a few per cent, or their whiskers would hide each other.
        apart = 1.03 ** (place - (len(families) - 1) / 2)
        ax.errorbar(
            [count * apart for count, _ in points],
            [e.mean for _, e in points],
            yerr=[e.half_width for _, e in points],
            color=colour,
            marker=MARKERS[place % len(MARKERS)],
            label=architecture_label(name),
            elinewidth=0.8,
            capsize=1.5,
        )
    ax.set_xscale("log")
    if "published" not in set(runs["budget"]):
        ax.set_xticks(sorted({parse_budget(budget) for budget in runs["budget"]}))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda count, _: format_budget(round(count))))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("parameters")


def _legend(figure: Figure, axes: list[Axes]) -> None:
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)


def _in_order(values: pd.Series) -> list[str]:
    return list(dict.fromkeys(values))
