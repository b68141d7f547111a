"""Parse the names of DemoNets and StarNets, such as ``demonet_star_noact_d12_w32`` and ``starnet_sum34_s050``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lowparam.errors import LowparamError

__all__ = [
    "STANDARD",
    "VARIANTS",
    "StarName",
    "Variant",
    "activated",
    "on_axis",
    "parse",
    "parsed",
    "standard",
    "sum_partner",
    "variants_in",
    "varied_axes",
]


@dataclass(frozen=True)
class Variant:
    """A variant of StarNet's block in Ma et al. 2024.

    Parameters
    ----------
    table : int
        Number of the paper's table that compares it with the standard block.
    row : str
        Its label in that table.
    label : str
        Its name in print.
    """

    table: int
    row: str
    label: str


VARIANTS = {
    "noact": Variant(9, "none", "no activation"),
    "actboth": Variant(9, "both branches", "activation on both branches"),
    "actproduct": Variant(9, "after the product", "activation after the product"),
    "relu": Variant(17, "ReLU", "ReLU"),
    "gelu": Variant(17, "GELU", "GELU"),
    "leakyrelu": Variant(17, "LeakyReLU", "LeakyReLU"),
    "hardswish": Variant(17, "h-swish", "h-swish"),
    "gate": Variant(18, "II", "design II"),
    "gatepw": Variant(18, "III", "design III"),
    "shared": Variant(18, "IV", "design IV"),
    "square": Variant(18, "V", "design V"),
}
"""Variants by their name in an architecture; ``models/blocks/starnet.py`` builds them."""

STANDARD = {7: "SSSS", 9: "one branch", 17: "ReLU6", 18: "I"}
"""Labels of the standard block in the paper's tables, by their number."""

DEMONET = re.compile(r"demonet_(?P<operator>star|sum)(?P<variant>_noact)?(?P<size>_d\d+_w\d+)?")
STARNET = re.compile(
    rf"starnet(?P<operator>_sum(?P<stages>[1-4]*))?(?P<variant>_(?:{'|'.join(VARIANTS)}))?(?P<size>_s\d+)?"
)


@dataclass(frozen=True)
class StarName:
    """A name taken apart.

    Parameters
    ----------
    family : {"demonet", "starnet"}
        The network.
    operator : {"star", "sum", "mixed"}
        How blocks join their branches; mixed if this differs between stages.
    summed : tuple of int
        Stages with sum, counted from 1, if the operator is mixed; else empty.
    variant : str
        ``noact``, ``gelu`` and so on; empty for the standard block.
    size : str
        ``d12_w32`` or ``s050``; empty in controlled mode.
    recipe : str
        The variant of the recipe, after ``@``.
    """

    family: str
    operator: str
    summed: tuple[int, ...] = ()
    variant: str = ""
    size: str = ""
    recipe: str = ""

    @property
    def name(self) -> str:
        """The name that `parse` reads."""
        if self.family == "demonet":
            operator = self.operator
        else:
            operator = "" if self.operator == "star" else f"sum{''.join(map(str, self.summed))}"
        whole = "_".join(part for part in (self.family, operator, self.variant, self.size) if part)
        return f"{whole}@{self.recipe}" if self.recipe else whole

    def stages(self, count: int) -> str:
        """Return the operator of each stage as the paper writes it, S for star and + for sum: ``SS++``."""
        summed = range(1, count + 1) if self.operator == "sum" else self.summed
        return "".join("+" if stage in summed else "S" for stage in range(1, count + 1))

    @property
    def depth_width(self) -> tuple[int, int] | None:
        """Depth and width of a published DemoNet."""
        match = re.fullmatch(r"d(\d+)_w(\d+)", self.size)
        return (int(match[1]), int(match[2])) if match else None


def parse(name: str) -> StarName | None:
    """Take a name apart; return None for other networks."""
    architecture, _, recipe = name.partition("@")
    for family, pattern in (("demonet", DEMONET), ("starnet", STARNET)):
        match = pattern.fullmatch(architecture)
        if match:
            found = {key: (value or "").lstrip("_") for key, value in match.groupdict().items()}
            summed = tuple(map(int, found.get("stages", "")))
            operator = "mixed" if summed else "sum" if found["operator"].startswith("sum") else "star"
            return StarName(family, operator, summed, found["variant"], found["size"], recipe)
    return None


def variants_in(table: int) -> dict[str, str]:
    """Return the variants that a table of the paper compares, by their labels there; the standard block is ""."""
    found = {variant.row: name for name, variant in VARIANTS.items() if variant.table == table}
    return {**found, STANDARD[table]: ""}


def parsed(name: str) -> StarName:
    """Take the name of a DemoNet or StarNet apart.

    Raises
    ------
    LowparamError
        If it is the name of another network.
    """
    found = parse(name)
    if found is None:
        raise LowparamError(f"{name} is neither a DemoNet nor a StarNet")
    return found


def sum_partner(name: str) -> str | None:
    """Return the name of the same network with sums; None unless all blocks of this one multiply."""
    found = parse(name)
    return replace(found, operator="sum").name if found and found.operator == "star" else None


def activated(name: str) -> str | None:
    """Return the name of the same network with activations; None unless this one is without."""
    found = parse(name)
    return replace(found, variant="").name if found and found.variant == "noact" else None


def standard(name: str) -> str | None:
    """Return the name of the StarNet of the same size with the standard block; None for other networks."""
    found = parse(name)
    return replace(found, operator="star", summed=(), variant="").name if found and found.family == "starnet" else None


def varied_axes(names: Sequence[str]) -> list[str]:
    """Return what differs between published DemoNets: ``width``, ``depth``, both or nothing."""
    sizes = _sizes(names)
    return [axis for axis, place in (("width", 1), ("depth", 0)) if len({size[place] for size in sizes}) > 1]


def on_axis(names: Sequence[str], name: str, axis: str | None) -> bool:
    """Return whether a network is on the sweep of an axis: it has the depth, or the width, that most networks have."""
    star = parse(name)
    size = star.depth_width if star else None
    if axis is None or size is None:
        return axis is None
    fixed = {"width": 0, "depth": 1}[axis]
    values = [given[fixed] for given in _sizes(names)]
    return size[fixed] == max(values, key=values.count)


def _sizes(names: Sequence[str]) -> list[tuple[int, int]]:
    return list(dict.fromkeys(size for star in map(parse, names) if star and (size := star.depth_width)))
