"""Star against sum, and with against without activations: our networks below those of the paper."""

import re
from collections.abc import Iterator

import pandas as pd

from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.report.contents import joined_by, with_activation
from lowparam.report.table import Cell, Table
from lowparam.star.published import TABLES, PublishedTable

__all__ = ["star_activation", "star_gap"]

CELL = ["architecture", "activation", "budget"]


def star_gap(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Test accuracy of sum and star networks and their gap, in the rows of the paper's tables 2 and 3."""
    shown = [TABLES[{"width": 2, "depth": 3}[axis]] for axis in _axes(runs)]
    rows, numbers = _published(shown, ("sum", "star"))
    for name, budget, activation in _cells(runs):
        family, operator = joined_by(name) or ("", "")
        if operator == "star":
            partner = next((n for n in runs["architecture"].unique() if joined_by(n) == (family, "sum")), None)
            _compare(runs, experiment, _label(name, budget), activation, budget, (partner, name), rows, numbers)
    return Table(
        name="star_gap",
        caption=f"Star against sum: top-1 accuracy in %, and star minus sum in percentage points. Below, {experiment}: "
        f"mean over {runs['seed'].nunique()} seeds with 95 % t interval, the gap paired by seed. "
        f"Above, as published: {_sources(shown)}.",
        header=["data", "network", "sum", "star", "gap"],
        rows=rows,
        labels=2,
        numbers=pd.DataFrame(numbers),
    )


def star_activation(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Test accuracy with and without activations, in the rows of the paper's tables 4, 15 and 16."""
    shown = [TABLES[4], *(TABLES[{"width": 15, "depth": 16}[axis]] for axis in _axes(runs))]
    rows, numbers = _published(shown, ("with", "without"))
    for name, budget, activation in _cells(runs):
        full = with_activation(name)
        if full is not None:
            operator = joined_by(full)
            label = _label(full, budget, *([operator[1]] if operator else []))
            _compare(runs, experiment, label, activation, budget, (full, name), rows, numbers)
    return Table(
        name="star_activation",
        caption="Networks with and without activations: top-1 accuracy in %, and without minus with in percentage "
        f"points. Below, {experiment}: mean over {runs['seed'].nunique()} seeds with 95 % t interval, the change "
        f"paired by seed. Above, as published: {_sources(shown)}.",
        header=["data", "network", "with", "without", "change"],
        rows=rows,
        labels=2,
        numbers=pd.DataFrame(numbers),
    )


def _cells(runs: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Architecture, budget and activation of every scale, in the order of the runs."""
    for name, activation, budget in dict.fromkeys(runs[CELL].itertuples(index=False, name=None)):
        yield name, budget, activation


def _compare(
    runs: pd.DataFrame,
    experiment: str,
    label: str,
    activation: str,
    budget: str,
    names: tuple[str | None, str],
    rows: list,
    numbers: list,
) -> None:
    """Add a row: two networks and the second minus the first, paired by seed."""
    here = runs[(runs["activation"] == activation) & (runs["budget"] == budget)]
    first, second = (100 * here[here["architecture"] == name].set_index("seed")["test_accuracy"] for name in names)
    if first.empty:
        return
    if activation != "base":
        label += f", {activation}"
    estimates = [mean_interval(first), mean_interval(second), mean_interval(second - first)]
    rows.append([experiment, label, *map(Cell, estimates)])
    for quantity, estimate in zip(("first", "second", "difference"), estimates, strict=True):
        numbers.append({"data": experiment, "network": label, "quantity": quantity, **vars(estimate)})


def _published(tables: list[PublishedTable], columns: tuple[str, str]) -> tuple[list, list]:
    """Rows of the paper's tables, and their numbers."""
    rows, numbers = [], []
    for table in tables:
        varied = table.columns[0]
        for line in table.frame().to_dict("records"):
            label = f"DemoNet, {line[varied]}" if varied == "operator" else f"DemoNet, {varied} {line[varied]}"
            if table.number in (15, 16):
                label = label.replace("DemoNet", "DemoNet, star")
            first, second = (float(line[column]) for column in columns)
            values = [Estimate(value, float("nan"), 1) for value in (first, second, second - first)]
            rows.append(["ImageNet-1k", label, *map(Cell, values)])
            for quantity, value in zip(("first", "second", "difference"), values, strict=True):
                numbers.append({"data": table.source, "network": label, "quantity": quantity, **vars(value)})
    return rows, numbers


def _sources(tables: list[PublishedTable]) -> str:
    abouts = "; ".join(f"{table.about} (table {table.number})" for table in tables)
    return f"Ma et al. 2024 on ImageNet-1k, one run each: {abouts}"


def _size(name: str) -> tuple[int, int] | None:
    """Depth and width in the name of a published DemoNet."""
    match = re.search(r"_d(\d+)_w(\d+)$", name)
    return (int(match[1]), int(match[2])) if match else None


def _axes(runs: pd.DataFrame) -> list[str]:
    """What the experiment varies: width, depth or both; a budget is a width."""
    sizes = {size for size in map(_size, runs["architecture"].unique()) if size}
    varied = {"width": len({w for _, w in sizes}) > 1, "depth": len({d for d, _ in sizes}) > 1}
    return [axis for axis, varies in varied.items() if varies] or ["width"]


def _label(name: str, budget: str, *more: str) -> str:
    """Such as ``DemoNet, no activation, 25k`` or ``StarNet, s050``."""
    parts = ["StarNet" if name.startswith("starnet") else "DemoNet", *more]
    if "_noact" in name:
        parts.append("no activation")
    size = _size(name)
    variant = re.search(r"_(s\d+)$", name)
    if size:
        parts.append(f"depth {size[0]}, width {size[1]}")
    else:
        parts.append(variant[1] if variant else budget)
    return ", ".join(parts)
