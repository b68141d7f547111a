"""Build networks by name, and list them: all with their counts, or one layer by layer."""

import fnmatch
import importlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lowparam import paths, provenance
from lowparam.architectures import is_timm, split
from lowparam.errors import LowparamError
from lowparam.files import read_json, write_json
from lowparam.models import blocks, probes
from lowparam.models.budget import solve_width
from lowparam.models.cost import Cost, cost, count_parameters, count_values, shapes_only
from lowparam.models.layers import leaves
from lowparam.models.skeletons import controlled, published
from lowparam.models.skeletons.controlled import Network
from lowparam.params.grid import expand
from lowparam.waiting import track

__all__ = ["COLUMNS", "find", "layers", "network", "networks"]

COUNTS = [
    "parameters",
    "body",
    "head",
    "macs",
    "weight_bytes",
    "weight_bytes_int8",
    "peak_activation_bytes",
    "peak_activation_bytes_int8",
]
COLUMNS = ["mode", "network", *COUNTS]
"""Of the list of networks."""


def network(
    name: str,
    *,
    budget: int | None = None,
    classes: int = 10,
    in_channels: int = 3,
    size: int = 32,
    probe: str = "none",
    counting: str = "total",
    **skeleton: int,
) -> Network:
    """Build a network by name, of either mode.

    Parameters
    ----------
    name : str
        ``mobilenetv2``, ``mobilenetv2+gelu``, ``mobilenetv2_x0.5`` or ``timm:resnet18``.
    budget : int or None
        Parameters wanted, for the controlled mode; None is 100,000. A published network takes none.
    classes, in_channels, size : int
        Number of classes, channels of the images, and their height and width in pixels.
    probe, counting, **skeleton
        As in params.yaml: ``depth``, ``divisor``, ``minimum``.

    Raises
    ------
    LowparamError
        For an unknown name, a budget that cannot be met, or images that the network cannot take.
    """
    images = {"classes": classes, "in_channels": in_channels, "size": size, "probe": probe}
    if is_timm(name):
        return _timm_adapter().build(name, **images)
    if split(name)[0] in blocks.published():
        if budget is not None:
            raise LowparamError(f"{name} has a size of its own; leave out the budget")
        return published.build(name, **images)
    if budget is None:
        blocks.find(name)
        budget = 100_000
    width = solve_width(name, budget, counting=counting, **images, **skeleton)
    return controlled.build(name, width, **images, **skeleton)


def find(patterns: Sequence[str] = ()) -> list[str]:
    """Return the names of networks that match patterns.

    Parameters
    ----------
    patterns : sequence of str
        Names, also those with parts, of ablations or of timm, and patterns with ``*``, ``?`` and braces, which match
        all architectures and all published networks; without any, those that are no ablations.

    Raises
    ------
    LowparamError
        If nothing matches a pattern.
    """
    known = [*blocks.names(), *blocks.published()]
    if not patterns:
        changed = tuple(f"{ablation}_" for ablation in blocks.ablations())
        return [name for name in known if not name.startswith(changed)]
    known += blocks.ablations()
    found: dict[str, None] = {}
    try:
        wanted = expand(list(patterns))
    except ValueError as error:
        raise LowparamError(str(error)) from error
    for pattern in wanted:
        if not re.search(r"[*?\[]", pattern):
            found[pattern] = None
            continue
        base, plus, parts = pattern.partition("+")
        names = _timm_adapter().matching(pattern) if is_timm(pattern) else fnmatch.filter(known, base)
        if not names:
            raise LowparamError(f"no network matches {pattern!r}; lowparam models lists them")
        found |= dict.fromkeys(name + ("" if is_timm(pattern) else plus + parts) for name in names)
    return list(found)


def networks(
    *,
    budget: int = 100_000,
    classes: int = 10,
    in_channels: int = 3,
    size: int = 32,
    probe: str = "none",
    names: Sequence[str] | None = None,
    below: int | None = None,
    left_out: dict[str, str] | None = None,
) -> pd.DataFrame:
    """List the networks with their costs for one image.

    Parameters
    ----------
    budget : int
        For the architectures of the controlled mode.
    classes, in_channels, size, probe
        As in `network`.
    names : sequence of str or None
        Which; None takes all that `find` gives.
    below : int or None
        Only those with fewer parameters.
    left_out : dict or None
        Takes the networks that cannot be built like this, with the reason; without it, the first is an error.

    Returns
    -------
    DataFrame
        Columns ``mode``, ``network``, ``parameters``, ``body``, ``head``, ``macs``, ``weight_bytes``,
        ``weight_bytes_int8``, ``peak_activation_bytes``, ``peak_activation_bytes_int8``.

    Raises
    ------
    LowparamError
        As `network`.
    """
    probes.find_probe(probe)
    rows = []
    with _Kept() as kept:
        for name in track(find() if names is None else names, "counting networks"):
            is_controlled = not is_timm(name) and split(name)[0] in {*blocks.names(), *blocks.ablations()}
            asked = {"classes": classes, "in_channels": in_channels, "size": size, "probe": probe}
            try:
                row = kept.counts(name, below, budget=budget if is_controlled else None, **asked)
            except LowparamError as error:
                if left_out is None:
                    raise
                left_out[name] = str(error)
                continue
            if row is not None:
                rows.append({"mode": "controlled" if is_controlled else "published", "network": name, **row})
    return pd.DataFrame(rows, columns=COLUMNS)


class _Kept:
    """Counts of networks, kept between calls in a folder that has a params.yaml, with the digest of their code."""

    def __init__(self) -> None:
        self.file = paths.network_counts() if Path("params.yaml").exists() else None
        self.known: dict[str, dict[str, Any]] = {}
        try:
            self.known = dict(read_json(self.file)) if self.file else {}
        except (LowparamError, TypeError, ValueError):
            self.known = {}
        self.before = dict(self.known)

    def __enter__(self) -> "_Kept":
        return self

    def __exit__(self, *error: object) -> None:
        if self.file and self.known != self.before:
            write_json(self.file, self.known)

    def counts(self, name: str, below: int | None, **asked: Any) -> dict[str, int] | None:
        """Return what a network costs; None if it has not fewer parameters than ``below``, as far as that is set."""
        question, code = json.dumps([name, asked]), _code(name, asked["probe"])
        found: dict[str, Any] | None = self.known.get(question)
        if found is None or found.get("code") != code:
            with torch.device("cpu" if is_timm(name) else "meta"):
                net = network(name, **asked)
            if below is not None and count_parameters(net).total >= below:
                return None
            found = {"code": code, **_row(cost(net, asked["in_channels"], asked["size"]))}
            self.known[question] = found
        return None if below is not None and found["parameters"] >= below else {key: found[key] for key in COUNTS}


def _code(name: str, probe: str) -> str:
    """Return the digest of the code that builds a network and counts what it costs."""
    of_timm = version("timm") if is_timm(name) else ""
    made_by = ("models/listing.py:network", "models/cost.py:cost", *provenance.of_network(name, probe))
    return provenance.digest(*made_by) + of_timm


def _row(given: Cost) -> dict[str, int]:
    counts: dict[str, Any] = asdict(given)
    return {**counts.pop("parameters"), **counts} | {"parameters": given.parameters.total}


def layers(net: Network, *, in_channels: int, size: int) -> pd.DataFrame:
    """List the layers of a network in the order in which data flows.

    Parameters
    ----------
    net : Network
        What `network` gives.
    in_channels, size : int
        Of the image.

    Returns
    -------
    DataFrame
        Columns ``layer`` (its name in the network), ``type``, ``output`` (shape for one image, such as
        ``16 x 32 x 32``), ``parameters``, ``macs``. The columns add up to the network's parameters and MACs where
        all of them are in layers that have a name.
    """
    shapes = shapes_only(net)
    rows: dict[str, dict] = {}

    def note(name: str):
        def hook(module: nn.Module, args: tuple, output: object) -> None:
            if isinstance(output, torch.Tensor) and name not in rows:
                rows[name] = {
                    "layer": name,
                    "type": type(module).__name__,
                    "output": " x ".join(str(n) for n in output.shape[1:]),
                    "parameters": count_values(module),
                }

        return hook

    for name, module in leaves(shapes):
        if type(module).__name__ != "Tap":  # of timm_adapter, which passes maps on
            module.register_forward_hook(note(name))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes(torch.empty(1, in_channels, size, size, device="meta"))
    counts = counter.get_flop_counts()
    root = type(shapes).__name__
    for name, row in rows.items():
        row["macs"] = sum(counts.get(f"{root}.{name}", {}).values()) // 2
    return pd.DataFrame(list(rows.values()))


def _timm_adapter() -> Any:
    """Import timm only where it is needed: it takes seconds."""
    return importlib.import_module("lowparam.models.timm_adapter")
