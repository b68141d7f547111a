"""Star against sum and the variants of StarNet: our networks beside those of the paper's tables."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lowparam.catalogue import VARIANT_TABLES
from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.references.stars import TABLES
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label
from lowparam.report.table_format import Table
from lowparam.studies.star.names import VARIANTS, StarName, activated, parse, standard, sum_partner

__all__ = ["NOT_RUN", "axes", "on_axis", "star_activation", "star_gap", "star_variants"]

NOT_RUN = "not run"


def star_gap(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Test accuracy of sum and star networks and their gap, in the rows of the paper's tables 2 and 3."""
    names = _in_order(runs)
    pairs = [(sum_partner(name), name) for name in names if sum_partner(name) in names]
    with_activation = [pair for pair in pairs if not parse(pair[1]).variant]
    parts = []
    for axis in axes(names) or [None]:
        number = {"depth": 3}.get(axis, 2)
        parts.append(_published(number, ("sum", "star")))
        parts.append(_own(runs, experiment, _along(axis, with_activation)))
    without = [pair for pair in pairs if parse(pair[1]).variant == "noact"]
    if without:
        cost = TABLES[4].frame().set_index("operator")["without"]
        parts.append(_lines("ImageNet-1k", TABLES[4].source, [("DemoNet, no activation", cost["sum"], cost["star"])]))
        parts.append(_own(runs, experiment, without))
    about = [TABLES[{"depth": 3}.get(axis, 2)] for axis in axes(names) or [None]] + [TABLES[4]] * bool(without)
    return Table(
        name="star_gap",
        caption=f"Star against sum: top-1 accuracy in %, and star minus sum in percentage points. {experiment}: "
        f"mean over {runs['seed'].nunique()} seeds with 95 % t interval, the gap paired by seed. {_sources(about)}.",
        header=["data", "network", "sum", "star", "gap"],
        rows=[row for rows, _ in parts for row in rows],
        labels=2,
        numbers=pd.DataFrame([number for _, numbers in parts for number in numbers]),
    )


def star_activation(runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Test accuracy with and without activations, in the rows of the paper's tables 4, 15 and 16."""
    names = _in_order(runs)
    pairs = [(activated(name), name) for name in names if activated(name) in names]
    parts = [_published(4, ("with", "without"))]
    about = [TABLES[4]]
    if not axes(names):
        parts.append(_own(runs, experiment, pairs))
    for axis in axes(names):
        about.append(TABLES[{"width": 15, "depth": 16}[axis]])
        parts.append(_published(about[-1].number, ("with", "without")))
        parts.append(_own(runs, experiment, _along(axis, pairs)))
    return Table(
        name="star_activation",
        caption="Networks with and without activations: top-1 accuracy in %, and without minus with in percentage "
        f"points. {experiment}: mean over {runs['seed'].nunique()} seeds with 95 % t interval, the change paired by "
        f"seed. {_sources(about)}.",
        header=["data", "network", "with", "without", "change"],
        rows=[row for rows, _ in parts for row in rows],
        labels=2,
        numbers=pd.DataFrame([number for _, numbers in parts for number in numbers]),
    )


def star_variants(name: str, runs: pd.DataFrame, baseline: dict, experiment: str) -> Table:
    """Test accuracy of StarNet's variants in the rows of one of the paper's tables 7, 9, 17 and 18.

    Parameters
    ----------
    name : str
        A key of `catalogue.VARIANT_TABLES`.
    runs, baseline, experiment
        As for every table.
    """
    table = TABLES[VARIANT_TABLES[name]]
    varied, accuracy = table.columns
    printed = table.frame().set_index(varied)[accuracy]
    own = _standards(runs)
    members = [_members(runs, base, table.number) for base, _ in own]
    labels = list(dict.fromkeys([*printed.index, *(label for found in members for label in found)]))
    reference = {7: "SSSS", 9: "one branch", 17: "ReLU6", 18: "I"}[table.number]
    rows, numbers = [], []

    def add(data: str, label: str, first: Estimate | None, change: Estimate | None) -> list[str | Cell]:
        for quantity, estimate in (("accuracy", first), ("change", change)):
            if estimate is not None:
                numbers.append({"data": data, varied: label, "quantity": quantity, **vars(estimate)})
        return ["" if estimate is None else Cell(estimate) for estimate in (first, change)]

    for label in labels:
        row: list[str | Cell] = [label]
        if label in printed.index:
            change = None if label == reference else _alone(printed[label] - printed[reference])
            row += add(table.source, label, _alone(printed[label]), change)
        else:
            row += ["", ""]
        for (base, budget), found in zip(own, members, strict=True):
            if label not in found:
                row += [NOT_RUN, NOT_RUN]
                continue
            here, there = (_accuracy(runs, network, budget) for network in (found[label], base))
            change = None if found[label] == base else mean_interval(here - there)
            row += add(_group(experiment, base, budget), label, mean_interval(here), change)
        rows.append(row)
    titles = [_group(experiment, base, budget) for base, budget in own]
    return Table(
        name=name,
        caption=f"{table.about}: top-1 accuracy in %, and change from the standard block in percentage points. "
        f"ImageNet-1k: as published ({table.source}), one run each. {'; '.join(titles)}: the same change of this "
        f"network, mean over {runs['seed'].nunique()} seeds with 95 % t interval, the change paired by seed.",
        header=[varied, "ImageNet-1k", "change", *(text for title in titles for text in (title, "change"))],
        rows=rows,
        labels=1,
        numbers=pd.DataFrame(numbers),
        notes=_notes(table.number, rows),
    )


def axes(names: Sequence[str]) -> list[str]:
    """What an experiment varies in published DemoNets: width, depth, both or nothing."""
    sizes = _sizes(names)
    return [axis for axis, place in (("width", 1), ("depth", 0)) if len({size[place] for size in sizes}) > 1]


def on_axis(names: Sequence[str], name: str, axis: str | None) -> bool:
    """Whether a network lies on the row of an axis: at the depth, or the width, that most sizes have."""
    size = parse(name).depth_width
    if axis is None or size is None:
        return axis is None
    fixed = {"width": 0, "depth": 1}[axis]
    values = [given[fixed] for given in _sizes(names)]
    return size[fixed] == max(values, key=values.count)


def _standards(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """The standard StarNets with their budgets."""
    base = runs.loc[runs["probe"] == "none", ["architecture", "budget"]]
    return [scale for scale in dict.fromkeys(base.itertuples(index=False, name=None)) if standard(scale[0]) == scale[0]]


def _stage_count(names: Sequence[str]) -> int:
    """Stages of StarNets: four as published; the controlled skeleton of small images has three."""
    found = [star for star in map(parse, names) if star]
    return 4 if any(star.size for star in found) else max([3, *(max(star.summed, default=0) for star in found)])


def _members(runs: pd.DataFrame, base: str, table: int) -> dict[str, str]:
    """The networks of an experiment that a table is about, by the label that they have there."""
    names = [name for name in _in_order(runs) if standard(name) == base]
    if table == 7:
        count = _stage_count(names)
        found = {parse(name).stages(count): name for name in names if not parse(name).variant}
        return dict(sorted(found.items(), key=lambda item: (item[0].count("S"), item[0])))
    wanted = {label: replace(parse(base), variant=variant).name for label, variant in VARIANTS[table].items()}
    return {label: name for label, name in wanted.items() if name in names}


def _along(axis: str | None, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs that lie on an axis, star before sum, by size there; all without an axis."""
    names = [second for _, second in pairs]
    place = {"width": 1, "depth": 0}.get(axis)
    chosen = [pair for pair in pairs if on_axis(names, pair[1], axis)]
    if axis is None:
        return chosen
    return sorted(chosen, key=lambda pair: (parse(pair[1]).operator, parse(pair[1]).depth_width[place]))


def _own(runs: pd.DataFrame, experiment: str, pairs: list[tuple[str, str]]) -> tuple[list, list]:
    """Rows of pairs of our networks, the second minus the first paired by seed, and their numbers."""
    rows, numbers = [], []
    for first, second in pairs:
        for budget, probe in dict.fromkeys(
            runs.loc[runs["architecture"] == second, ["budget", "probe"]].itertuples(index=False, name=None)
        ):
            accuracies = [_accuracy(runs, name, budget, probe) for name in (first, second)]
            found = [mean_interval(each) if len(each) else None for each in accuracies]
            found.append(mean_interval(accuracies[1] - accuracies[0]) if all(found) else None)
            label = _label(parse(first), parse(second), budget, probe)
            rows.append([experiment, label, *(NOT_RUN if each is None else Cell(each) for each in found)])
            numbers += _numbers(experiment, label, found)
    return rows, numbers


def _published(number: int, columns: tuple[str, str]) -> tuple[list, list]:
    """Rows of a table of the paper, and their numbers."""
    table = TABLES[number]
    varied = table.columns[0]
    star = ", star" if number in (15, 16) else ""
    lines = []
    for line in table.frame().to_dict("records"):
        what = line[varied] if varied == "operator" else f"{varied} {line[varied]}"
        lines.append((f"DemoNet{star}, {what}", *(line[column] for column in columns)))
    return _lines("ImageNet-1k", table.source, lines)


def _lines(data: str, source: str, lines: Sequence[tuple[str, float, float]]) -> tuple[list, list]:
    rows, numbers = [], []
    for label, first, second in lines:
        found = [_alone(value) for value in (first, second, second - first)]
        rows.append([data, label, *map(Cell, found)])
        numbers += _numbers(source, label, found)
    return rows, numbers


def _numbers(data: str, label: str, found: Sequence[Estimate | None]) -> list[dict]:
    quantities = zip(("first", "second", "difference"), found, strict=True)
    return [
        {"data": data, "network": label, "quantity": quantity, **vars(each)} for quantity, each in quantities if each
    ]


def _label(first: StarName, second: StarName, budget: str, probe: str) -> str:
    """What two networks have in common, such as ``DemoNet, no activation, 25k``."""
    if first.operator != second.operator:
        whole = architecture_label(second.name).replace(", star", "", 1)
    else:
        whole = architecture_label(first.name)
    parts = [whole, *([] if second.size else [budget]), *([] if probe == "none" else [probe])]
    return ", ".join(parts)


def _group(experiment: str, base: str, budget: str) -> str:
    return f"{experiment}, {architecture_label(base) if parse(base).size else budget}"


def _accuracy(runs: pd.DataFrame, name: str, budget: str, probe: str = "none") -> pd.Series:
    """Test accuracies of a scale in percent, by seed."""
    here = runs[(runs["architecture"] == name) & (runs["budget"] == budget) & (runs["probe"] == probe)]
    return 100 * here.set_index("seed")["test_accuracy"]


def _alone(value: float) -> Estimate:
    """A published number, which has no spread."""
    return Estimate(float(value), float("nan"), 1)


def _notes(number: int, rows: list) -> list[str]:
    notes = []
    if number == 18:
        notes.append("Designs II to V are readings of what the text says (docs/science/star.md).")
    if any(NOT_RUN in row for row in rows):
        notes.append("Not run: this experiment has no such network.")
    return notes


def _sources(tables: list) -> str:
    abouts = "; ".join(f"{table.about} (table {table.number})" for table in tables)
    return f"ImageNet-1k: as published by Ma et al. 2024, one run each: {abouts}"


def _in_order(runs: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(runs["architecture"]))


def _sizes(names: Sequence[str]) -> list[tuple[int, int]]:
    return list(dict.fromkeys(size for star in map(parse, names) if star and (size := star.depth_width)))
