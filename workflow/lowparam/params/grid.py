"""The grid of runs: sizes, scales and runs by name.

A scale is an architecture with a probe at a budget; a run is one training of a scale, with one seed.
"""

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from lowparam import paths

__all__ = ["Run", "Scale", "expand", "format_budget", "format_size", "parse_budget"]

UNITS = {"k": 1_000, "M": 1_000_000}


def parse_budget(value: Any) -> int:
    """Read a parameter count such as ``25k``, ``1.5M`` or ``25000``.

    Raises
    ------
    ValueError
        If it is none of these or less than 1.
    """
    text = str(value).replace("_", "")
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text)
    count = float(match[1]) * UNITS.get(match[2], 1) if match and not isinstance(value, bool) else 0
    if not 1 <= count < 2**63 or count != int(count):
        raise ValueError(f"{value!r} is not a parameter count; write 25k, 1.5M or 25000")
    return int(count)


def format_budget(count: int) -> str:
    """Write a parameter count the way paths and tables do: ``25k``, ``1.5M``; the inverse of `parse_budget`."""
    for unit, size in (("M", UNITS["M"]), ("k", UNITS["k"])):
        if count >= size and count * 1000 % size == 0:
            return f"{count / size:.3f}".rstrip("0").rstrip(".") + unit
    return str(count)


def format_size(budget: int | None) -> str:
    """Write the size of a scale as in paths: ``25k``, or ``published`` for a network that has its own size."""
    return "published" if budget is None else format_budget(budget)


def expand(names: list[Any]) -> list[Any]:
    """Expand braces in names, as a shell does: ``a_{b,c}{,_d}`` is ``a_b``, ``a_b_d``, ``a_c``, ``a_c_d``.

    The last brace varies fastest. What is no text is left to the schema.

    Raises
    ------
    ValueError
        If a brace is not closed, or is inside another.
    """
    return [name for pattern in names for name in (_expand(pattern) if isinstance(pattern, str) else [pattern])]


def _expand(pattern: str) -> list[str]:
    parts = re.split(r"\{([^{}]*)\}", pattern)  # text, alternatives, text, ...
    if any(brace in text for text in parts[::2] for brace in "{}"):
        raise ValueError(f"{pattern!r} has a brace without its partner; write a_{{b,c}}")
    choices = [part.split(",") if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


TUNING = " (tuning)"
"""What ends the name of a job that tunes."""


@dataclass(frozen=True, order=True)
class Scale:
    """An architecture with a probe at a budget, in an experiment.

    A published network has no budget (None), because its name settles its size: ``mobilenetv2_x0.5``. An experiment
    with variants of its recipe has a scale for each of them.
    """

    experiment: str
    architecture: str
    probe: str
    budget: int | None
    variant: str = ""

    @property
    def label(self) -> str:
        """The architecture, with the variant if there is one: ``mobilenetv2``, ``mobilenetv2@lr0.01``."""
        return f"{self.architecture}@{self.variant}" if self.variant else self.architecture

    @property
    def name(self) -> str:
        """The folder's name: ``mobilenetv2-none-25k``, ``mobilenetv2_x0.5-none-published``.

        A timm network is written with a point, ``timm.mobilevit_xxs-none-published``, because a colon is no part of
        a file name everywhere.
        """
        return f"{self.label.replace(':', '.')}-{self.probe}-{format_size(self.budget)}"

    @property
    def family(self) -> str:
        """The name without the size, ``mobilenetv2-none``: what tuning chooses values for."""
        return self.name.rpartition("-")[0]

    @property
    def tuning_job(self) -> str:
        """The name in a plan of the job that tunes the family: ``mobilenetv2-none (tuning)``."""
        return f"{self.family}{TUNING}"

    @property
    def folder(self) -> Path:
        """The folder of its runs."""
        return paths.scale(self.experiment, self.name)

    @property
    def profiles(self) -> Path:
        """The folder of their interference profiles; apart from the runs, which only training writes."""
        return paths.profiles(self.experiment, self.name)

    @property
    def deployment(self) -> Path:
        """The folder of what a device needs for them, if the experiment has ``deploy``."""
        return paths.deployment(self.experiment, self.name)


@dataclass(frozen=True, order=True)
class Run:
    """One training: a scale with a seed."""

    scale: Scale
    seed: int

    @property
    def folder(self) -> Path:
        """The folder of its results."""
        return paths.run(self.scale.experiment, self.scale.name, self.seed)

    @property
    def profile(self) -> Path:
        """Its interference profile."""
        return self.scale.profiles / f"seed{self.seed}.csv"

    @property
    def deployment(self) -> Path:
        """What a device needs for it, if the experiment has ``deploy``."""
        return self.scale.deployment / f"seed{self.seed}.json"
