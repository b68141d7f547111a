"""The tables of StarNet's variants, which differ in the table of the paper that they follow."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.references.stars import TABLES
from lowparam.report.estimates import in_order
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.table_format import Table
from lowparam.report.tables._grid import explained, marker
from lowparam.report.tables._star_rows import NOT_RUN, accuracies_by_seed, without_spread
from lowparam.studies.star.names import STANDARD, parse, parsed, standard, variants_in


def variants_table(number: int, runs: pd.DataFrame, experiment: str) -> Table:
    """Compute a table of StarNet's variants, in the rows of one of the paper's tables.

    Parameters
    ----------
    number : int
        Number of the table in the paper: 7, 9, 17 or 18.
    runs : DataFrame
        As in runs.csv.
    experiment : str
        Name of the experiment.
    """
    table = TABLES[number]
    varied, accuracy = table.columns
    printed = table.frame().set_index(varied)[accuracy]
    own = _standards(runs)
    members = [_members(runs, base, table.number) for base, _ in own]
    labels = list(dict.fromkeys([*printed.index, *(label for found in members for label in found)]))
    reference = STANDARD[number]
    untrained = marker(runs)
    rows, numbers = [], []

    def add(data: str, label: str, first: Estimate | None, change: Estimate | None, *marks: str) -> list[str | Cell]:
        cells: list[str | Cell] = []
        for quantity, estimate, mark in zip(("accuracy", "change"), (first, change), marks or ("", ""), strict=True):
            cells.append("" if estimate is None else Cell(estimate, mark=mark))
            if estimate is not None:
                found = {"quantity": quantity, **vars(estimate), "untrained": bool(mark)}
                numbers.append({"data": data, varied: label, **found})
        return cells

    for label in labels:
        row: list[str | Cell] = [label]
        if label in printed.index:
            change = None if label == reference else without_spread(printed[label] - printed[reference])
            row += add(table.source, label, without_spread(printed[label]), change)
        else:
            row += ["", ""]
        for (base, budget), found in zip(own, members, strict=True):
            if label not in found:
                row += [NOT_RUN, NOT_RUN]
                continue
            here, there = (accuracies_by_seed(runs, network, budget) for network in (found[label], base))
            change = None if found[label] == base else mean_interval(here - there)
            mark = untrained(found[label], "none", budget)
            marks = mark, mark or untrained(base, "none", budget)
            row += add(_group(experiment, base, budget), label, mean_interval(here), change, *marks)
        rows.append(row)
    titles = [_group(experiment, base, budget) for base, budget in own]
    return Table(
        header=[varied, "ImageNet-1k", "change", *(text for title in titles for text in (title, "change"))],
        rows=rows,
        labels=1,
        numbers=pd.DataFrame(numbers),
        notes=[*_notes(number, rows), *explained(rows)],
        details={"about": table.about, "source": table.source, "ours": "; ".join(titles)},
    )


def _standards(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the standard StarNets with their budgets."""
    base = runs.loc[runs["probe"] == "none", ["architecture", "budget"]]
    return [scale for scale in dict.fromkeys(base.itertuples(index=False, name=None)) if standard(scale[0]) == scale[0]]


def _stage_count(names: Sequence[str]) -> int:
    """Count the stages of StarNets: four as published; the controlled skeleton of small images has three."""
    found = [star for star in map(parse, names) if star]
    return 4 if any(star.size for star in found) else max([3, *(max(star.summed, default=0) for star in found)])


def _members(runs: pd.DataFrame, base: str, table: int) -> dict[str, str]:
    """Return the networks of an experiment that a table is about, by their label there."""
    names = [name for name in in_order(runs["architecture"]) if standard(name) == base]
    if table == 7:
        count = _stage_count(names)
        found = {parsed(name).stages(count): name for name in names if not parsed(name).variant}
        return dict(sorted(found.items(), key=lambda item: (item[0].count("S"), item[0])))
    wanted = {label: replace(parsed(base), variant=variant).name for label, variant in variants_in(table).items()}
    return {label: name for label, name in wanted.items() if name in names}


def _group(experiment: str, base: str, budget: str) -> str:
    return f"{experiment}, {architecture_label(base) if parsed(base).size else budget}"


def _notes(number: int, rows: list) -> list[str]:
    notes = []
    if number == 18:
        notes.append("Designs II to V are readings of the text (docs/science/star.md).")
    if any(NOT_RUN in row for row in rows):
        notes.append("Not run: this experiment has no such network.")
    return notes
