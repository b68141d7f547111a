"""What the benchmark takes from params.yaml and recipes.yaml: the core architectures, the grid of digits, its recipe.

Reading YAML needs a library that a machine with a GPU may lack, and these entries are flat. So they are read here line
by line; a test compares them with what `lowparam.params` reads.
"""

import ast
import re
from itertools import product
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "core", "grid", "recipe", "seeds"]

ROOT = Path(__file__).resolve().parents[2]


def entries(file: str, *headers: str) -> dict[str, Any]:
    """Return the flat ``key: value`` lines below some headers, each one level further in than the one before."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    for depth, header in enumerate(headers):
        lines = lines[lines.index(f"{'  ' * depth}{header}:") + 1 :]
    found = {}
    for line in lines:
        if line.strip() and not line.startswith("  " * len(headers)):
            break
        if match := re.match(r"\s+(\w+): ([^{&*#]+?)\s*(#.*)?$", line):
            found[match[1]] = value(match[2])
    return found


def value(text: str) -> Any:
    """Return a number, a word or a list of them; a count such as 25k is a number."""
    text = re.sub(r"\b(\d+)k\b", r"\g<1>000", text)
    return ast.literal_eval(re.sub(r"(?<![\w.'\"-])([A-Za-z]\w*)", r'"\1"', text))


def core() -> list[str]:
    """Return the names of the core architectures."""
    return entries("params.yaml", "defaults")["architectures"]


def specification(architecture: str, budget: int, probe: str = "none") -> dict[str, Any]:
    """Return what `lowparam.models.network_for` builds a network from."""
    return {
        "mode": "controlled",
        "architecture": architecture,
        "probe": probe,
        "budget": budget,
        "counting": "total",
        "depth": 2,
        "divisor": 1,
        "minimum_width": 4,
    }


def grid() -> list[dict[str, Any]]:
    """Return the specification of each scale of digits."""
    defaults, digits = entries("params.yaml", "defaults"), entries("params.yaml", "experiments", "digits")
    chosen = {**defaults, **digits}
    names = product(chosen["architectures"], chosen["probes"], chosen["budgets"])
    return [specification(architecture, budget, probe) for architecture, probe, budget in names]


def seeds() -> int:
    """Return how many runs a scale of digits has."""
    return len(entries("params.yaml", "experiments", "digits")["seeds"])


def recipe() -> dict[str, Any]:
    """Return the recipe of digits."""
    return entries("recipes.yaml", "digits")
