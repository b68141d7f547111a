"""Rows of star networks, ours and as published, for the tables of gaps and of removed activations."""

from collections.abc import Sequence

import pandas as pd

from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.references.stars import TABLES, PublishedTable
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.tables._grid import marker
from lowparam.studies.star.names import StarName, on_axis, parsed

NOT_RUN = "not run"

Rows = tuple[list[list[str | Cell]], list[dict]]
"""Rows of a table, and their numbers for the csv."""


def along(axis: str | None, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs on an axis, star before sum, sorted by size; all pairs without an axis."""
    names = [second for _, second in pairs]
    chosen = [pair for pair in pairs if on_axis(names, pair[1], axis)]
    if axis is None:
        return chosen
    place = {"width": 1, "depth": 0}[axis]

    def by_operator_and_size(pair: tuple[str, str]) -> tuple[str, int]:
        star = parsed(pair[1])
        return star.operator, star.depth_width[place] if star.depth_width else 0

    return sorted(chosen, key=by_operator_and_size)


def own(runs: pd.DataFrame, experiment: str, pairs: list[tuple[str, str]]) -> Rows:
    """Make the rows of pairs of our networks; the change is the second minus the first, paired by seed."""
    untrained = marker(runs)
    rows, numbers = [], []
    for first, second in pairs:
        for budget, probe in dict.fromkeys(
            runs.loc[runs["architecture"] == second, ["budget", "probe"]].itertuples(index=False, name=None)
        ):
            accuracies = [accuracies_by_seed(runs, name, budget, probe) for name in (first, second)]
            found = [mean_interval(each) if len(each) else None for each in accuracies]
            found.append(mean_interval(accuracies[1] - accuracies[0]) if all(found) else None)
            label = _label(parsed(first), parsed(second), budget, probe)
            marks = [untrained(name, probe, budget) for name in (first, second)]
            marks.append(max(marks))
            cells = [NOT_RUN if e is None else Cell(e, mark=mark) for e, mark in zip(found, marks, strict=True)]
            rows.append([experiment, label, *cells])
            numbers += _numbers(experiment, label, found)
    return rows, numbers


def published(number: int, columns: tuple[str, str]) -> Rows:
    """Make the rows of a table of the paper."""
    table = TABLES[number]
    varied = table.columns[0]
    star = ", star" if number in (15, 16) else ""
    lines = []
    for line in table.frame().to_dict("records"):
        what = line[varied] if varied == "operator" else f"{varied} {line[varied]}"
        lines.append((f"DemoNet{star}, {what}", *(line[column] for column in columns)))
    return published_rows("ImageNet-1k", table.source, lines)


def published_rows(data: str, source: str, lines: Sequence[tuple[str, float, float]]) -> Rows:
    """Make rows of published accuracies, each a label and two numbers."""
    rows, numbers = [], []
    for label, first, second in lines:
        found = [without_spread(value) for value in (first, second, second - first)]
        rows.append([data, label, *map(Cell, found)])
        numbers += _numbers(source, label, found)
    return rows, numbers


def accuracies_by_seed(runs: pd.DataFrame, name: str, budget: str, probe: str = "none") -> pd.Series:
    """Return the test accuracies of a scale in percent, by seed."""
    here = runs[(runs["architecture"] == name) & (runs["budget"] == budget) & (runs["probe"] == probe)]
    return 100 * here.set_index("seed")["test_accuracy"]


def without_spread(value: float) -> Estimate:
    """Return a published number, which has no spread."""
    return Estimate(float(value), float("nan"), 1)


def sources(tables: Sequence[PublishedTable]) -> str:
    """Name the tables of the paper, for a caption."""
    abouts = "; ".join(f"{table.about} (table {table.number})" for table in tables)
    return f"ImageNet-1k: as published by Ma et al. 2024, one run each: {abouts}"


def _numbers(data: str, label: str, found: Sequence[Estimate | None]) -> list[dict]:
    quantities = zip(("first", "second", "difference"), found, strict=True)
    return [
        {"data": data, "network": label, "quantity": quantity, **vars(each)} for quantity, each in quantities if each
    ]


def _label(first: StarName, second: StarName, budget: str, probe: str) -> str:
    """Name what two networks have in common, such as ``DemoNet, no activation, 25k``."""
    if first.operator != second.operator:
        whole = architecture_label(second.name).replace(", star", "", 1)
    else:
        whole = architecture_label(first.name)
    parts = [whole, *([] if second.size else [budget]), *([] if probe == "none" else [probe])]
    return ", ".join(parts)
