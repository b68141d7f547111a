"""The tables of an experiment."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lowparam import catalogue
from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.files import read_csv, read_json
from lowparam.interference.reliability import icc_of_all
from lowparam.params import Params
from lowparam.references.small_nets import PublishedNet, published_nets
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.star_gaps import star_activation, star_gap, star_variants
from lowparam.report.star_interference import star_interference
from lowparam.report.table import Cell, Table

__all__ = ["write_tables"]

GRID = ["architecture", "probe", "budget"]
SHORT = 10  # epochs; published networks have hundreds


def write_tables(params: Params, experiment: str) -> None:
    """Write every table that `catalogue.tables` names into ``results/<experiment>/tables``."""
    folder = Path("results", experiment)
    runs = read_csv(folder / "runs.csv")
    baseline = read_json(folder / "baseline.json")
    make = {
        "accuracy": accuracy,
        "interference": interference,
        "solu_gap": solu_gap,
        "published": lambda runs, baseline, experiment: beside_published(
            runs, published_nets(params.experiment(experiment).data), experiment
        ),
        "reliability": reliability,
        "star_gap": star_gap,
        "star_activation": star_activation,
        "star_interference": star_interference,
        **{name: partial(star_variants, name) for name in catalogue.VARIANT_TABLES},
    }
    for name in catalogue.tables(params.experiment(experiment)):
        table = make[name](runs, baseline, experiment)
        if name in ("accuracy", "interference", "published", "solu_gap"):
            table.notes.append(schedule(params, experiment, baseline["training_images"]))
        table.write(folder / "tables", experiment)


def schedule(params: Params, experiment: str, images: int) -> str:
    """Say how long the networks of an experiment are trained, and where that is much less than others train."""
    lengths = sorted({params.recipe(scale).epochs for scale in params.scales(experiment)})
    epochs = f"{lengths[0]} to {lengths[-1]} epochs" if len(lengths) > 1 else f"{lengths[0]} epochs"
    said = f"trained for {'1 epoch' if lengths == [1] else epochs} on {images:,} images"
    return f"A short schedule: {said}." if lengths[-1] < SHORT else f"{said.capitalize()}."


def accuracy(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Test accuracy of every scale, with the logistic regression that it should beat."""
    threshold = baseline["test"]["accuracy"]
    means = _estimates(runs, "test_accuracy")
    percent = means.assign(mean=100 * means["mean"], half_width=100 * means["half_width"])

    def mark(row: pd.Series) -> str:
        return "†" if row["probe"] == "none" and not row["mean"] > 100 * threshold else ""

    table = _grid(percent, digits=1, best="max", mark=mark)
    budgets = len(table[0]) - 2
    table.append(["logistic regression", f"{baseline['parameters']} parameters", *[f"{100 * threshold:.1f}"] * budgets])
    numbers = percent.assign(unit="percent")
    return Table(
        name="accuracy",
        caption=f"Test accuracy in % on {experiment}, by parameter budget: mean over {_seeds(runs)} seeds with 95 % "
        f"t interval; {baseline['test']['images']} test images. Bold: best of a column.",
        header=["architecture", "probe", *_budgets(runs)],
        rows=table,
        labels=2,
        numbers=numbers,
        notes=["† does not beat the logistic regression in the mean."] if any(map(mark, _rows(percent))) else [],
    )


def beside_published(runs: pd.DataFrame, nets: tuple[PublishedNet, ...], experiment: str) -> Table:
    """Accuracy of our networks among those that others report, by parameters."""
    ours = _estimates(runs[runs["probe"] == "none"], "test_accuracy")
    sizes = runs.groupby(GRID)["parameters_total"].first()
    rows = [
        {
            "network": f"{architecture_label(row['architecture'])}, {row['budget']}",
            "source": "this experiment",
            "parameters": sizes[tuple(row[key] for key in GRID)],
            "mean": 100 * row["mean"],
            "half_width": 100 * row["half_width"],
            "n": row["n"],
        }
        for row in _rows(ours)
    ]
    rows += [
        {"network": net.name, "source": net.source, "parameters": net.parameters, "mean": net.accuracy, "n": 1}
        for net in nets
    ]
    numbers = pd.DataFrame(rows).sort_values("parameters", kind="stable", na_position="last", ignore_index=True)
    return Table(
        name="published",
        caption=f"Test accuracy in % on {experiment} of networks that others report, and of ours, by parameters. Ours: "
        f"mean over {_seeds(runs)} seeds with 95 % t interval. The others give no spread and have other recipes.",
        header=["network", "reported by", "parameters", "test accuracy"],
        rows=[
            [
                row["network"],
                row["source"],
                "not stated" if np.isnan(row["parameters"]) else f"{row['parameters'] / 1000:.0f} k",
                Cell(Estimate(row["mean"], row["half_width"], row["n"]), 1),
            ]
            for row in _rows(numbers)
        ],
        labels=3,
        numbers=numbers,
    )


def solu_gap(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Accuracy lost to each probe, paired by seed."""
    gaps = _estimates(gap_by_seed(runs), "gap")
    return Table(
        name="solu_gap",
        caption=f"SoLU gap on {experiment}: test accuracy with the architecture's own activation minus that with the "
        f"probe, in percentage points, paired by seed; mean over {_seeds(runs)} seeds with 95 % t interval. "
        "Positive: the probe costs accuracy. Bold: smallest gap of a column.",
        header=["architecture", "probe", *_budgets(runs)],
        rows=_grid(gaps, digits=1, best="min"),
        labels=2,
        numbers=gaps.assign(unit="percentage points"),
    )


def interference(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Feature dimensionality of the projections over its random null."""
    ratios = _estimates(runs, "r_projection")
    return Table(
        name="interference",
        caption=f"Interference on {experiment}: feature dimensionality of the projections' weights over that of random "
        f"directions of the same norms (r); mean over {_seeds(runs)} seeds with 95 % t interval. "
        "1: as random; below 1: features overlap more than random ones. Bold: highest of a column.",
        header=["architecture", "probe", *_budgets(runs)],
        rows=_grid(ratios, digits=2, best="max"),
        labels=2,
        numbers=ratios.assign(unit="ratio to null"),
    )


def reliability(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """How far each interference measure tells configurations apart, rather than seeds of the same one."""
    columns = list(runs.columns)
    measures = [*columns[columns.index("test_loss") + 1 : columns.index("folder")], "test_accuracy"]
    arms = {"all probes": runs}
    if "none" in set(runs["probe"]) and runs["probe"].nunique() > 1:
        arms["own activation"] = runs[runs["probe"] == "none"]
    found = pd.concat([icc_of_all(arm, measures).assign(of=name) for name, arm in arms.items()], ignore_index=True)
    printed = found.pivot(index="measure", columns="of", values="icc")
    return Table(
        name="reliability",
        caption=f"Reliability of the measures on {experiment}: intraclass correlation of seeds within configurations "
        f"(architecture, probe, budget), {_seeds(runs)} seeds. 1: all variance lies between configurations; "
        "0: none does. A measure below 0.5 says more about seeds and should carry no claim.",
        header=["measure", *arms],
        rows=[[name, *(Cell(Estimate(printed.loc[name, arm], np.nan, 1), 2) for arm in arms)] for name in measures],
        labels=1,
        numbers=found,
    )


def gap_by_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """Subtract each probed run from the base run of the same architecture, budget and seed.

    Returns
    -------
    DataFrame
        Columns architecture, probe, budget, seed and gap, in percentage points of test accuracy.
    """
    base = runs[runs["probe"] == "none"].set_index(["architecture", "budget", "seed"])["test_accuracy"]
    probed = runs[runs["probe"] != "none"].copy()
    partner = pd.MultiIndex.from_frame(probed[["architecture", "budget", "seed"]])
    probed["gap"] = 100 * (base.reindex(partner).to_numpy() - probed["test_accuracy"].to_numpy())
    return probed[[*GRID, "seed", "gap"]]


def _estimates(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean and half-width over seeds, a row a scale, in the order of the runs."""
    rows = []
    for key, group in runs.groupby(GRID, sort=False):
        estimate = mean_interval(group[column])
        rows.append({**dict(zip(GRID, key, strict=True)), "quantity": column, **vars(estimate)})
    return pd.DataFrame(rows)


def _grid(estimates: pd.DataFrame, *, digits: int, best: str, mark=lambda row: "") -> list[list[str | Cell]]:
    """Lay estimates out: a row an architecture and activation, a column a budget."""
    top = estimates.groupby("budget")["mean"].agg(best)
    rows: dict[tuple[str, str], list[str | Cell]] = {}
    for row in _rows(estimates):
        labels = (architecture_label(row["architecture"]), probe_label(row["probe"]))
        is_best = np.round(row["mean"], digits) == np.round(top[row["budget"]], digits)
        estimate = Estimate(row["mean"], row["half_width"], row["n"])
        rows.setdefault(labels, list(labels)).append(Cell(estimate, digits, best=is_best, mark=mark(row)))
    return list(rows.values())


def _rows(frame: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in frame.iterrows()]


def _budgets(runs: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(runs["budget"]))


def _seeds(runs: pd.DataFrame) -> int:
    return runs["seed"].nunique()
