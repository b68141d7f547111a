"""Choose architectures for somebody's images and device from what was recorded here."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from lowparam import paths, registry
from lowparam.data.folder import list_splits
from lowparam.deploy.bench import memory
from lowparam.errors import LowparamError
from lowparam.files import read_csv, read_json
from lowparam.models import listing
from lowparam.params import Params, parse_budget

__all__ = ["Shape", "best", "differences", "entries", "nearest", "parse_bytes", "recorded", "shape_of"]

UNITS = {"": 1, "k": 1e3, "M": 1e6, "Ki": 1024, "Mi": 1024**2}
UNLIKE = 2.0
"""How many times as many classes or pixels a side make recorded images unlike somebody's."""


@dataclass(frozen=True)
class Shape:
    """Classes of a data set, and the channels and pixels a side that networks see."""

    classes: int
    in_channels: int
    size: int


def parse_bytes(key: str, text: str) -> int:
    """Read an amount of memory such as ``100kB``, ``0.5 MB``, ``64KiB`` or ``65536``.

    Raises
    ------
    LowparamError
        If it is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(k|M|Ki|Mi)?B?", text.strip())
    if found is None or float(found[1]) == 0:
        raise LowparamError(f"{key}: {text!r} is no amount of memory; write it such as 100kB, 64KiB or 1MB")
    return int(float(found[1]) * UNITS[found[2] or ""])


def shape_of(folder: Path, size: int | None) -> tuple[Shape | None, int, int]:
    """Return the shape of somebody's data, the number of their classes, and their channels.

    A folder of prepared data has all of it. Of a folder of images, with one folder a class, the shape is known once
    `size` is.

    Raises
    ------
    LowparamError
        If the folder has neither.
    """
    if (folder / "manifest.json").is_file():
        manifest = read_json(folder / "manifest.json")
        channels, own, _ = manifest["shape"]
        classes = len(manifest["classes"])
        return Shape(classes, channels, size or own), classes, channels
    classes = len(list_splits(folder, "--data")[1])
    return (None if size is None else Shape(classes, 3, size)), classes, 3


def recorded(params: Params) -> dict[str, Shape]:
    """Return the shape of the data of every experiment in controlled mode that has results of several architectures."""
    found = {}
    for name, experiment in params.experiments.items():
        if experiment.mode != "controlled" or "none" not in experiment.probes or not paths.runs_table(name).exists():
            continue
        data = params.data[experiment.data]
        try:
            known = registry.load("data/sources", data.source).shape(experiment.data, data)
        except LowparamError:  # images of a folder that is not here
            continue
        if len(set(_plain(read_csv(paths.runs_table(name)))["architecture"])) > 1:
            found[name] = Shape(known["classes"], known["in_channels"], known["size"])
    return found


def nearest(found: Mapping[str, Shape], classes: int, channels: int, size: int | None) -> str:
    """Return the experiment whose data are most like somebody's; of equal ones the first.

    Raises
    ------
    LowparamError
        If there is none.
    """
    if not found:
        raise LowparamError("no recorded results to choose from; run: lowparam run digits, or dvc pull")

    def distance(name: str) -> float:
        shape = found[name]
        apart = abs(math.log2(shape.classes / classes)) + 2 * (shape.in_channels != channels)
        return apart + (0 if size is None else 2 * abs(math.log2(shape.size / size)))

    return min(found, key=distance)


def differences(given: Shape, known: Shape) -> list[str]:
    """Say in words how recorded data are unlike somebody's; empty if they are alike."""
    words = []
    for what, yours, ours in (("classes", given.classes, known.classes), ("pixels a side", given.size, known.size)):
        if max(yours, ours) >= UNLIKE * min(yours, ours):
            words.append(f"{ours} {what} and not {yours}")
    if given.in_channels != known.in_channels:
        colours = {1: "grey", 3: "colour"}
        words.append(f"{colours[known.in_channels]} images and not {colours[given.in_channels]}")
    return words


def best(params: Params, experiment: str, given: Shape, *, flash: int, ram: int, bits: int = 8) -> pd.DataFrame:
    """Return the networks of an experiment that fit a device and that no other beats at less flash or less RAM.

    Memory is that of the network for somebody's classes and pixels; accuracy is what was recorded.

    Parameters
    ----------
    params : Params
        The experiments.
    experiment : str
        Where the accuracies come from.
    given : Shape
        Of somebody's data.
    flash, ram : int
        Bytes of the device for weights, and for activations as TFLite-micro plans them.
    bits : {8, 32}
        Of weights and activations.

    Returns
    -------
    DataFrame
        ``architecture``, ``budget``, ``test_accuracy`` (share, mean over seeds), ``flash`` and ``ram`` in bytes, by
        falling accuracy.

    Raises
    ------
    LowparamError
        If none fits; the message has the least that one needs.
    """
    suffix, chosen = "_int8" if bits == 8 else "", params.experiment(experiment)
    rows = []
    means = _plain(read_csv(paths.runs_table(experiment))).groupby(["architecture", "budget"], sort=False)
    for (architecture, budget), accuracy in means["test_accuracy"].agg(lambda each: each.mean(skipna=False)).items():
        shape = {"classes": given.classes, "in_channels": given.in_channels, "size": given.size}
        try:
            with torch.device("meta"):
                net = listing.network(
                    architecture,
                    budget=parse_budget(budget),
                    counting=chosen.counting,
                    depth=chosen.depth,
                    divisor=chosen.divisor,
                    minimum=chosen.minimum_width,
                    **shape,
                )
        except LowparamError:  # its budget cannot be met for these classes
            continue
        needed = memory(net, given.in_channels, given.size)
        place = {"architecture": architecture, "budget": budget, "test_accuracy": accuracy}
        rows.append({**place, "flash": needed[f"weight_bytes{suffix}"], "ram": needed[f"arena_bytes{suffix}"]})
    table = pd.DataFrame(rows, columns=["architecture", "budget", "test_accuracy", "flash", "ram"])
    table = table[table["test_accuracy"].notna()]
    fitting = table[(table["flash"] <= flash) & (table["ram"] <= ram)]
    if fitting.empty:
        least = f"the least are {table['flash'].min():,} bytes of flash and {table['ram'].min():,} of RAM"
        raise LowparamError(
            f"no network of {experiment} fits {flash:,} bytes of flash and {ram:,} of RAM with {bits} bits; "
            + (least if len(table) else "none can be built for these images")
        )
    kept = [row for row in fitting.itertuples() if not any(_beats(other, row) for other in fitting.itertuples())]
    return fitting.loc[[row.Index for row in kept]].sort_values("test_accuracy", ascending=False, kind="stable")


def entries(name: str, folder: Path, given: Shape, recipe: str, chosen: pd.DataFrame) -> str:
    """Return what to add to params.yaml to train networks on somebody's images."""
    architectures = ", ".join(dict.fromkeys(chosen["architecture"]))
    budgets = ", ".join(sorted(set(chosen["budget"]), key=parse_budget))
    split = "split: { train: 0.6, validation: 0.15, test: 0.25 }"
    return (
        f"data:\n  {name}: {{ source: image_folder, path: {folder}, size: {given.size}, {split} }}\n"
        f"experiments:\n  {name}: {{ data: {name}, recipe: {recipe}, probes: [none], seeds: [0, 1, 2], "
        f"architectures: [{architectures}], budgets: [{budgets}] }}"
    )


def _plain(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs without probe and variant of the scales of which every run has learned something."""
    runs = runs[(runs["probe"] == "none") & ~runs["architecture"].str.contains("@")]
    finished = runs["status"].eq("finished").groupby([runs["architecture"], runs["budget"]]).transform("all")
    return runs[finished]


def _beats(other: tuple, row: tuple) -> bool:
    """Whether a network is at least as good in everything and better in something; of equal ones the first stays."""
    ours, theirs = ((each.test_accuracy, -each.flash, -each.ram) for each in (other, row))
    as_good = all(a >= b for a, b in zip(ours, theirs, strict=True))
    return as_good and (ours != theirs or other.Index < row.Index)
