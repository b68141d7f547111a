"""Tables and figures of the star operation without images: implicit dimensions and the two moons."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from lowparam.claims.statistics import mean_interval
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.style import MARKERS, TEXT_WIDTH
from lowparam.report.table_format import Table
from lowparam.studies.star.dimension import closed_form, paper_growth, printed_form
from lowparam.studies.star.moons import X_RANGE, Y_RANGE, training_points

__all__ = [
    "bilinear_table",
    "boundary_figure",
    "dimension_figure",
    "dimension_table",
    "growth_table",
    "moons_table",
    "placement_figure",
]

PRINTED_WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64)
STACKED_WIDTHS = range(1, 13)
MEASURES = {
    "train_best": "train, best",
    "train_last": "train, last",
    "fresh": "fresh",
    "agree_svm_poly": "as poly. SVM",
    "agree_svm_rbf": "as RBF SVM",
}
MACHINES = {"svm_poly": "SVM, polynomial", "svm_rbf": "SVM, Gaussian"}
ACTIVATIONS = {"relu": "ReLU", "none": "none"}
# Comments in the authors' code (ma-xu/Rewrite-the-Stars, 2D_visual/main.py); the paper gives no numbers.
PUBLISHED_TRAIN = {("++++", "relu"): "about 85", ("SSSS", "relu"): "about 95"}


def bilinear_table(classes: pd.DataFrame, accuracies: pd.DataFrame, experiment: str) -> Table:
    """Effective ranks of the classes in the last block, and how far the first eigenvectors carry."""
    run = ["architecture", "budget", "trained", "seed"]
    measures = ["channels", "effective_rank", "share_1", "share_4"]
    by_seed = classes.groupby(run, sort=False)[measures].mean()
    kept = accuracies.set_index([*run, "terms"]).sort_index()
    last = accuracies.groupby(run)["terms"].max()
    for terms in (0, 4):
        by_seed[f"accuracy_{terms}"] = [kept.loc[(*key, terms), "accuracy"] for key in by_seed.index]
    by_seed["accuracy_all"] = [kept.loc[(*key, last[key]), "accuracy"] for key in by_seed.index]
    by_seed["explained_4"] = [kept.loc[(*key, 4), "explained"] for key in by_seed.index]
    shares = [name for name in by_seed if name not in ("channels", "effective_rank")]
    by_seed[shares] *= 100
    rows, numbers = [], []
    for (name, budget, trained), group in by_seed.groupby(level=run[:3], sort=False):
        label = [architecture_label(name), budget, "trained" if trained else "untrained"]
        cells = []
        for measure in by_seed.columns:
            estimate = mean_interval(group[measure])
            numbers.append(
                dict(zip(run[:3], (name, budget, trained), strict=True)) | {"quantity": measure, **vars(estimate)}
            )
            if measure != "channels":
                cells.append(Cell(estimate))
        rows.append([*label, f"{group['channels'].iloc[0]:.0f}", *cells])
    return Table(
        name="bilinear",
        caption=f"Eigenvectors of the last star block without activation on {experiment}, a quadratic form a class: "
        "mean over classes, then over seeds with 95 % t interval. Effective rank of d + 1 possible; share in % of the "
        "squared norm in the largest 1 and 4 eigenvalues; test accuracy in % with none, 4 and all eigenvectors a class "
        "kept in that block; share in % of the variance of its part of the logits that 4 explain.",
        header=["network", "budget", "", "d", "eff. rank", "first", "first 4", "none", "4 kept", "all", "4 explain"],
        rows=rows,
        labels=3,
        numbers=pd.DataFrame(numbers),
    )


def dimension_table(dimensions: pd.DataFrame) -> Table:
    """Exact ranks of one layer beside the formulas."""
    ranks = dimensions.pivot(index="channels", columns=["operator", "bias"], values="rank")
    bound = dimensions.set_index(["operator", "bias", "channels"])["closed_form"]
    rows = []
    for d in sorted(set(PRINTED_WIDTHS) & set(ranks.index)):
        cells = [
            f"{ranks.loc[d, key]}" + ("" if ranks.loc[d, key] == bound[(*key, d)] else "†")
            for key in (("star", True), ("star", False), ("sum", True), ("sum", False))
        ]
        rows.append([str(d), *cells, f"{paper_growth(d, 1):g}", str(printed_form(d))])
    proved = dimensions["proved"].all()
    widest = int(dimensions["channels"].max())
    return Table(
        name="dimension",
        caption="Implicit dimension of one layer without activation on d channels: rank of random functions at random "
        "points, exact modulo a prime, hence a lower bound. The number of monomials is an upper bound: (d+1)(d+2)/2 "
        "for star with biases, d(d+1)/2 without, d+1 and d for sum. "
        + (f"The two are equal at every d up to {widest}. " if proved else "")
        + "The form 2d², printed in some copies of the abstract, is above the upper bound for every d ≥ 2.",
        header=["d", "star, biases", "star", "sum, biases", "sum", "d²/2", "2d²"],
        rows=rows,
        labels=1,
        numbers=dimensions,
        notes=[] if proved else ["† below the upper bound, so not settled."],
    )


def growth_table(growth: pd.DataFrame) -> Table:
    """Exact ranks of stacked layers beside the paper's order of growth."""
    chosen = growth[growth["bias"]].set_index(["layers", "channels"])
    layers = growth["layers"].unique().tolist()
    rows = []
    for d in sorted(set(STACKED_WIDTHS) & set(growth["channels"])):
        row = [str(d)]
        for depth in layers:
            bound = closed_form("star", d, bias=True, layers=depth)
            counted = (depth, d) in chosen.index
            row.append(str(chosen.loc[(depth, d), "rank"]) if counted else f"≤ {bound}")
            row.append(_short(paper_growth(d, depth)))
        deepest = chosen[chosen.index.get_level_values("channels") == d].iloc[-1]
        rows.append([*row, str(deepest["rank_last"])])
    titles = [title for depth in layers for title in (f"l = {depth}", "paper")]
    proved = chosen["proved"].all()
    return Table(
        name="growth",
        caption="Implicit dimension after l star layers of d channels with biases, all weights varied: exact rank, or "
        "≤ with the upper bound, the number of monomials up to degree 2 to the power l. "
        + ("Where it was counted, the rank equals the bound. " if proved else "")
        + "Paper: d/√2 to the power 2 to the power l. Last: rank where only the last layer's weights vary, in the "
        "deepest stack counted.",
        header=["d", *titles, "last"],
        rows=rows,
        labels=1,
        numbers=growth,
    )


def moons_table(moons: pd.DataFrame) -> Table:
    """Accuracies and agreements on the moons, in percent."""
    rows, numbers = [], []
    nets = moons[moons["seed"] >= 0]
    for (net, activation), runs in nets.groupby(["net", "activation"], sort=False):
        cells = []
        for measure in MEASURES:
            estimate = mean_interval(100 * runs[measure])
            cells.append(Cell(estimate))
            numbers.append(
                {
                    "net": net,
                    "activation": activation,
                    "quantity": measure,
                    **vars(estimate),
                    "sd": 100 * runs[measure].std(),
                    "unit": "percent",
                }
            )
        published = PUBLISHED_TRAIN.get((net, activation), "–")
        rows.append([net, ACTIVATIONS[activation], published, *cells, f"{100 * runs['train_best'].std():.1f}"])
    for _, machine in moons[moons["seed"] < 0].iterrows():
        cells = [f"{100 * machine[measure]:.1f}" for measure in MEASURES]
        rows.append([MACHINES[machine["net"]], "–", "–", *cells, "–"])
        for measure in MEASURES:
            numbers.append(
                {"net": machine["net"], "activation": "none", "quantity": measure, "mean": 100 * machine[measure]}
                | {"half_width": np.nan, "n": 1, "sd": np.nan, "unit": "percent"}
            )
    header = ["blocks", "activation", "published", *MEASURES.values(), "sd of best"]
    return Table(
        name="moons",
        caption="Two moons (100 points, noise 0.4), in %: mean over "
        f"{nets['seed'].nunique()} seeds with 95 % t interval. S: star block, +: sum block, from input to output. "
        "Train: the best of 30 epochs, as published, and the last; fresh: new points of the same distribution; "
        "as SVM: share of the plane that gets the same label. Sd: standard deviation over seeds.",
        header=header,
        rows=rows,
        labels=2,
        numbers=pd.DataFrame(numbers),
    )


def dimension_figure(dimensions: pd.DataFrame, growth: pd.DataFrame) -> Figure:
    """One layer against the number of channels, and stacks of layers; marks are counted, lines are formulas."""
    figure, (one, stack) = plt.subplots(1, 2, figsize=(TEXT_WIDTH, 3.3), layout="constrained")
    colours = sns.color_palette("colorblind")
    widths = np.arange(1, dimensions["channels"].max() + 1)
    for (operator, bias), colour, marker in (
        (("star", True), colours[0], "o"),
        (("star", False), colours[9], "s"),
        (("sum", True), colours[1], "D"),
    ):
        counted = dimensions[(dimensions["operator"] == operator) & (dimensions["bias"] == bias)]
        label = f"{operator}, {'with' if bias else 'without'} biases"
        one.plot(counted["channels"], counted["rank"], marker, color=colour, label=label)
        one.plot(widths, [closed_form(operator, int(d), bias=bias) for d in widths], color=colour, linewidth=0.8)
    one.plot(widths, widths**2 / 2, color="0.35", linestyle=":", label="d²/2")
    one.plot(widths, printed_form(widths), color=colours[3], linestyle="--", label="2d², as printed")
    one.set_yscale("log")
    one.set_title("one layer")
    one.plot([], [], color="0.3", linewidth=0.8, label="closed forms")

    for depth, colour, marker in zip(
        growth["layers"].unique().tolist(), sns.color_palette("crest", 4), "os^D", strict=False
    ):
        counted = growth[growth["bias"] & (growth["layers"] == depth)]
        stack.plot(
            counted["channels"], counted["rank"], marker, color=colour, label=f"{depth} layer{'s' * (depth > 1)}"
        )
        stack.plot(
            widths,
            [closed_form("star", int(d), bias=True, layers=int(depth)) for d in widths],
            color=colour,
            linewidth=0.8,
        )
        stack.plot(widths, [paper_growth(d, depth) for d in widths], color=colour, linestyle=":")
    stack.plot(
        growth["channels"],
        growth["rank_last"].where(growth["bias"] & (growth["layers"] == growth["layers"].max())),
        "x",
        color="0.3",
        label=f"{growth['layers'].max()} layers, only the last varied",
    )
    stack.plot([], [], color="0.3", linewidth=0.8, label="monomials of degree ≤ $2^l$")
    stack.plot([], [], color="0.3", linestyle=":", label=r"$(d/\sqrt{2})^{2^l}$, the paper's")
    stack.set(xscale="log", yscale="log", ylim=(0.8, 1e8), title="star layers with biases on top of each other")
    ticks = [d for d in (1, 2, 3, 5, 10, 20, 40) if d <= widths[-1]]
    stack.set_xticks(ticks, [str(d) for d in ticks])
    stack.xaxis.set_minor_locator(plt.NullLocator())
    for ax in (one, stack):
        ax.set_xlabel("channels d")
        ax.set_ylabel("implicit dimension")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False)
    return figure


def boundary_figure(moons: pd.DataFrame, grids: dict[str, np.ndarray]) -> Figure:
    """Boundaries of star and sum beside those of the support vector machines; shade: share of seeds."""
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
    figure.colorbar(image, ax=axes, shrink=0.5, label=f"share of {seeds} seeds that say ▲")
    return figure


def placement_figure(moons: pd.DataFrame) -> Figure:
    """Accuracy and agreement against the number of star blocks, counted from the input and from the output."""
    nets = moons[(moons["seed"] >= 0) & (moons["activation"] == "relu")]
    rows = {
        "star from the input on": [n for n in nets["net"].unique() if n == "S" * n.count("S") + "+" * n.count("+")],
        "star up to the output": [n for n in nets["net"].unique() if n == "+" * n.count("+") + "S" * n.count("S")],
    }
    measures = {
        "train_best": "training points, best epoch",
        "fresh": "fresh points",
        "agree_svm_poly": "agreement with polynomial SVM",
    }
    figure, axes = plt.subplots(1, len(measures), figsize=(TEXT_WIDTH, 2.4), layout="constrained")
    for ax, (measure, title) in zip(axes, measures.items(), strict=True):
        for place, (label, names) in enumerate(rows.items()):
            points = sorted(
                (name.count("S"), mean_interval(100 * nets.loc[nets["net"] == name, measure])) for name in names
            )
            ax.errorbar(
                [count + 0.06 * (2 * place - 1) for count, _ in points],
                [e.mean for _, e in points],
                yerr=[e.half_width for _, e in points],
                marker=MARKERS[place],
                color=sns.color_palette("colorblind")[place],
                label=label,
                elinewidth=0.8,
                capsize=1.5,
            )
        ax.set_xticks(range(5))
        ax.set_xlabel("star blocks, of 4")
        ax.set_title(title)
    axes[0].set_ylabel("%")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def _short(value: float) -> str:
    """Three digits, as in 0.5, 1640 or 2.1e7."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}" if value < 1e5 else f"{value:.1e}".replace("e+0", "e")
