"""Tables and figures of the toy models: what the measures say where superposition is known."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy import stats

from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.report.formats import Cell
from lowparam.report.style import MARKERS, TEXT_WIDTH
from lowparam.report.table_format import Table
from lowparam.studies.toy.phase import boundary

__all__ = [
    "absolute_table",
    "behaviour_table",
    "geometry_figure",
    "grams_figure",
    "phase_figure",
    "shapes_table",
    "sweep_table",
]

LINES = {"1": 1, "3/4": 3 / 4, "2/3": 2 / 3, "1/2": 1 / 2, "2/5": 2 / 5, "3/8": 3 / 8}
SWEEP = {
    "features_per_dimension": "features per dimension",
    "dimensionality": "mean D",
    "dimensionality_ratio": "r",
    "interference": "interference",
    "squared_cosine": "m cos²",
    "positive_cosine": "positive part",
    "coherence": "coherence",
    "frame_potential": "frame potential",
    "capacity_used": "capacity used",
}
OUTCOMES = {
    "neither": ("neither", "#f0f0f0"),
    "first": ("first feature alone", "#9ecae1"),
    "second": ("second feature alone", "#a1d99b"),
    "superposition": ("both, in superposition", "#e6550d"),
}
SPARSE, FOLLOWS, MOVES = 0.5, 0.9, 1.2
NAMES = {"relu": "ReLU", "gelu": "GELU", "solu": "SoLU"}


def shapes_table(shapes: pd.DataFrame) -> Table:
    """Dimensionality of trained models beside that of the polytope."""
    rows = []
    for name, model in shapes.groupby("shape", sort=False):
        first = model.iloc[0]
        groups = model.groupby("expected")["dimensionality"]
        rows.append(
            [
                str(name),
                f"{first['n']}",
                f"{first['m']}",
                f"{first['density']:g}",
                ", ".join(f"{expected:.3f}" for expected in groups.groups),
                ", ".join(f"{group.min():.3f} to {group.max():.3f}" for _, group in groups),
                f"{(model['norm'] ** 2).mean():.2f}",
                f"{model['bias'].mean():.2f}".replace("-", "−"),
            ]
        )
    return Table(
        name="shapes",
        caption="Feature dimensionality D in trained toy models (n features in m dimensions, each feature present with "
        "probability p, the best of several trainings), beside D of the polytope that they form. |W|² and b are means "
        "over features.",
        header=["shape", "n", "m", "p", "D, known", "D, measured", "|W|²", "b"],
        rows=rows,
        labels=1,
        numbers=shapes,
    )


def sweep_table(sweep: pd.DataFrame) -> Table:
    """What each measure says from dense to sparse."""
    rows, numbers = [], []
    for density, models in sweep.groupby("density", sort=False):
        row: list[str | Cell] = [f"{density:g}"]
        for measure in SWEEP:
            estimate = mean_interval(models[measure])
            row.append(Cell(estimate, 2))
            numbers.append({"density": density, "measure": measure, "mean": estimate.mean, "half": estimate.half_width})
        rows.append(row)
    return Table(
        name="sweep",
        caption="Measures on toy models whose superposition grows as features become sparser (p is how often a feature "
        f"is present; mean and 95 % interval over {sweep['seed'].nunique()} models). Features per dimension is the "
        "truth. D and the positive part of the squared cosines follow it; frame potential and capacity used do not. "
        "At p = 1 nothing is in superposition, and the directions mean nothing.",
        header=["p", *SWEEP.values()],
        rows=rows,
        labels=1,
        numbers=pd.DataFrame(numbers),
    )


def behaviour_table(sweep: pd.DataFrame) -> Table:
    """Whether each measure follows the superposition of the sweep, where features are sparse enough for any."""
    sparse = sweep[sweep["density"] <= SPARSE]
    truth = "features_per_dimension"
    few, many = (sparse[sparse["density"] == density] for density in (sparse["density"].max(), sparse["density"].min()))
    rows, numbers = [], []
    for measure, label in SWEEP.items():
        if measure == truth:
            continue
        rank = Estimate(float(stats.spearmanr(sparse[measure], sparse[truth])[0]), np.nan, len(sparse))
        means = sparse.groupby("density")[measure].mean()
        follows = abs(rank.mean) >= FOLLOWS and means.max() >= MOVES * means.min()
        reading = ("rises" if rank.mean > 0 else "falls") + " with superposition" if follows else "does not follow it"
        ends = [mean_interval(models[measure]) for models in (few, many)]
        rows.append([label, Cell(rank, 2), *(Cell(end, 2) for end in ends), reading])
        both = dict(zip(("few", "many"), (end.mean for end in ends), strict=True))
        numbers.append({"measure": measure, "spearman": rank.mean, **both, "follows": follows})
    counts = [f"{models[truth].mean():.1f}" for models in (few, many)]
    return Table(
        name="behaviour",
        caption="What each measure says of superposition where it is known: rank correlation ρ with the features per "
        f"dimension over {len(sparse)} toy models in which features are present at most every second time, and values "
        f"at {counts[0]} and {counts[1]} features per dimension (mean and 95 % interval over models). A measure "
        f"follows superposition if |ρ| ≥ {FOLLOWS:g} and its largest mean is at least {MOVES:g} times its least.",
        header=["measure", "ρ", *(f"at {count}" for count in counts), "reading"],
        rows=rows,
        labels=1,
        numbers=pd.DataFrame(numbers),
    )


def absolute_table(absolute: pd.DataFrame) -> Table:
    """Features per neuron in the |x| task."""
    rows, numbers = [], []
    for (activation, norm), models in absolute.groupby(["activation", "norm"], sort=False):
        row: list[str | Cell] = [NAMES[activation], norm]
        for density in absolute["density"].unique():
            chosen = models[models["density"] == density]
            for measure in ("features_per_neuron", "relative_loss"):
                estimate = mean_interval(chosen[measure])
                row.append(Cell(estimate, 2))
                key = {"activation": activation, "norm": norm, "density": density, "measure": measure}
                numbers.append({**key, "mean": estimate.mean, "half": estimate.half_width})
        rows.append(row)
    titles = [f"{what}, p = {density:g}" for density in absolute["density"].unique() for what in ("features", "loss")]
    return Table(
        name="absolute",
        caption="Features that a neuron reads (1 is monosemantic), and loss over that of answering 0, in toy models "
        "that compute |x| of 20 features with 16 neurons; mean and 95 % interval over "
        f"{absolute['seed'].nunique()} models.",
        header=["activation", "norm", *titles],
        rows=rows,
        labels=2,
        numbers=pd.DataFrame(numbers),
    )


def grams_figure(shapes: pd.DataFrame, grams: pd.DataFrame) -> Figure:
    """W'W of each shape."""
    names = list(shapes["shape"].unique())
    columns = 4
    figure, axes = plt.subplots(
        -(-len(names) // columns), columns, figsize=(TEXT_WIDTH, 3.9), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(names) :]:
        axis.remove()
    limit = grams["value"].abs().max()
    for axis, name in zip(axes.flat, names, strict=False):
        model = shapes[shapes["shape"] == name].iloc[0]
        matrix = grams[grams["shape"] == name].pivot(index="i", columns="j", values="value").to_numpy()
        image = axis.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(f"{name}\nn = {model['n']}, m = {model['m']}, p = {model['density']:g}")
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
    figure.colorbar(image, ax=axes, shrink=0.6, label=r"$W^\top W$")
    return figure


def geometry_figure(sweep: pd.DataFrame, features: pd.DataFrame) -> Figure:
    """Dimensionality of every feature against sparsity, with the lines of the known polytopes."""
    figure, axis = plt.subplots(figsize=(TEXT_WIDTH, 3.2), layout="constrained")
    for label, value in LINES.items():
        axis.axhline(value, color="0.75", linewidth=0.7, zorder=0)
        side = {"2/5": "bottom", "3/8": "top"}.get(label, "center")
        axis.text(1.01, value, label, transform=axis.get_yaxis_transform(), va=side, fontsize=7, color="0.4")
    # A little to the side of each other, so that equal features can be counted.
    spread = np.random.default_rng(0).uniform(-0.06, 0.06, len(features))
    axis.scatter(np.exp(spread) / features["density"], features["dimensionality"], s=5, alpha=0.35, linewidth=0)
    mean = sweep.groupby("density")["features_per_dimension"].mean()
    axis.plot(1 / mean.index, 1 / mean, color="black", marker=MARKERS[0], label="dimensions per feature, $m/||W||^2$")
    axis.set(xscale="log", ylim=(0, 1.05), xlabel="sparsity, 1 / p", ylabel="feature dimensionality D")
    axis.grid(False)
    axis.legend(loc="upper right")
    return figure


def phase_figure(phase: pd.DataFrame) -> Figure:
    """What two features in one dimension do, with the boundary of the closed-form losses."""
    order = list(OUTCOMES)
    grid = phase.assign(code=phase["outcome"].map(order.index)).pivot(
        index="importance", columns="density", values="code"
    )
    figure, axis = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
    axis.pcolormesh(
        grid.columns,
        grid.index,
        grid.to_numpy(),
        cmap=ListedColormap([color for _, color in OUTCOMES.values()]),
        vmin=-0.5,
        vmax=len(order) - 0.5,
        shading="nearest",
    )
    importance = np.geomspace(grid.index.min(), grid.index.max(), 200)
    (line,) = axis.plot([boundary(i) for i in importance], importance, "k--")
    axis.set(xscale="log", yscale="log", xlabel="density p", ylabel="importance of the second feature")
    axis.grid(False)
    seen = [
        Patch(color=color, label=label) for key, (label, color) in OUTCOMES.items() if (phase["outcome"] == key).any()
    ]
    line.set_label("closed-form boundary")
    figure.legend(handles=[*seen, line], loc="outside lower center", ncols=2)
    sns.despine(ax=axis)
    return figure
