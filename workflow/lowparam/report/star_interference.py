"""The interference of star against sum at equal parameters: does multiplying reduce superposition, or use it?"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lowparam.claims.statistics import mean_interval
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.star_gaps import axes, on_axis
from lowparam.report.style import MARKERS, TEXT_WIDTH
from lowparam.report.table_format import Table
from lowparam.studies.star.names import parse, sum_partner

__all__ = ["MEASURES", "paired", "star_interference", "star_interference_figure"]

MEASURES = {
    "dimensionality_join": ("D of joined features", 2),
    "r_join": ("r of joined features", 2),
    "quadratic_share": ("quadratic share of products", 2),
    "lift_join": ("effective dimensions, joined / input", 2),
    "log_ci_join": ("log CI where branches join, nats", 2),
    "r_projection": ("r of projections", 2),
    "log_ci_projection": ("log CI of projections, nats", 2),
    "chi_stages": ("class cross-talk χ", 3),
    "capacity_used": ("capacity used of streams, PR / C", 3),
}
"""Columns of runs.csv with their names in print and digits."""


def paired(runs: pd.DataFrame) -> pd.DataFrame:
    """Set every star network beside the same network with sums.

    Returns
    -------
    DataFrame
        A row a star network, seed and measure: ``pair`` (the star network without its size), ``network``, ``budget``,
        ``seed``, ``parameters``, ``measure``, ``sum``, ``star``.
    """
    base = runs[runs["probe"] == "none"].set_index(["architecture", "budget", "seed"])
    rows = []
    for name, budget, seed in base.index:
        partner = (sum_partner(name), budget, seed)
        if partner not in base.index:
            continue
        for measure in MEASURES:
            rows.append(
                {
                    "pair": replace(parse(name), size="").name,
                    "network": name,
                    "budget": budget,
                    "seed": seed,
                    "parameters": base.loc[(name, budget, seed), "parameters_total"],
                    "measure": measure,
                    "sum": base.loc[partner, measure],
                    "star": base.loc[(name, budget, seed), measure],
                }
            )
    return pd.DataFrame(rows)


def star_interference(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Every measure for sum and star, mean over sizes, and the difference paired by size and seed."""
    found = paired(runs)
    rows, numbers = [], []
    for pair, of_pair in found.groupby("pair", sort=False):
        label = architecture_label(pair).replace(", star", "", 1)
        for measure, (printed, digits) in MEASURES.items():
            chosen = of_pair[of_pair["measure"] == measure]
            by_size = chosen.assign(difference=chosen["star"] - chosen["sum"])
            # The mean over sizes is taken within each seed, as seeds are the unit.
            by_seed = by_size.groupby("seed")[["sum", "star", "difference"]].agg(lambda s: s.mean(skipna=False))
            rows.append([label, printed, *(Cell(mean_interval(by_seed[arm]), digits) for arm in by_seed)])
            sizes = [("all", by_seed), *by_size.groupby(["network", "budget"], sort=False)]
            for size, group in sizes:
                for arm in by_seed:
                    about = {"pair": pair, "size": size if size == "all" else " ".join(size), "measure": measure}
                    numbers.append(about | {"quantity": arm, **vars(mean_interval(group[arm]))})
            label = ""
    sizes = found.groupby("pair", sort=False)[["network", "budget"]].apply(lambda f: len(f.drop_duplicates()))
    return Table(
        name="star_interference",
        caption=f"Interference of star against sum on {experiment}, at equal parameters: mean over {_range(sizes)} "
        f"and over {runs['seed'].nunique()} seeds with 95 % t interval; star minus sum paired by size and seed. "
        "D and r: how much of a dimension a feature has for itself, and that over random weights; higher is less "
        "overlap. Joined features are products, which have d(d + 3)/2 dimensions, or sums, which have d. Log CI: 0 "
        "where contributions are independent. χ: 1 at chance, 0 without cross-talk.",
        header=["network", "measure", "sum", "star", "star − sum"],
        rows=rows,
        labels=2,
        numbers=pd.DataFrame(numbers),
    )


def star_interference_figure(runs: pd.DataFrame, baseline: dict) -> Figure:
    """Every measure over the number of parameters: colour star or sum, marker the pair."""
    found = paired(runs)
    names = list(found["network"].unique())
    axis = next(iter(axes(names)), None)
    found = found[[on_axis(names, name, axis) for name in found["network"]]]
    colours = dict(zip(("star", "sum"), sns.color_palette("colorblind"), strict=False))
    lines = dict(zip(found["pair"].unique(), ("-", "--", ":"), strict=False))
    figure, panels = plt.subplots(3, 3, figsize=(TEXT_WIDTH, 5.4), sharex=True, layout="constrained")
    for ax, (measure, (printed, _)) in zip(panels.flat, MEASURES.items(), strict=True):
        chosen = found[found["measure"] == measure]
        for place, (pair, of_pair) in enumerate(chosen.groupby("pair", sort=False)):
            for shift, (arm, colour) in enumerate(colours.items()):
                points = [
                    (group["parameters"].mean(), mean_interval(group[arm]))
                    for _, group in of_pair.groupby(["network", "budget"], sort=False)
                ]
                points = sorted(points, key=lambda point: point[0])
                ax.errorbar(
                    [count * 1.03 ** (place + shift / 2 - 1) for count, _ in points],
                    [e.mean for _, e in points],
                    yerr=[e.half_width for _, e in points],
                    color=colour,
                    linestyle=lines[pair],
                    marker=MARKERS[place],
                    label=f"{architecture_label(pair).replace(', star', '', 1)}, {arm}",
                    elinewidth=0.8,
                    capsize=1.5,
                )
        if measure in ("r_join", "r_projection", "lift_join"):
            ax.axhline(1, color="0.3", linewidth=0.8)
        if measure.startswith("log_ci"):
            ax.axhline(0, color="0.3", linewidth=0.8)
        ax.set_title(printed)
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count / 1000:.3g}k"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    counts = sorted(found["parameters"].unique())
    ticks = [counts[i] for i in np.unique(np.linspace(0, len(counts) - 1, 3).round().astype(int))]
    for ax in panels[-1]:
        ax.set_xticks(ticks)
        ax.set_xlabel("parameters")
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(lines), frameon=False
    )
    return figure


def _range(sizes: pd.Series) -> str:
    low, high = int(sizes.min()), int(sizes.max())
    return f"{low} to {high} sizes" if low < high else f"{low} size{'s' * (low > 1)}"
