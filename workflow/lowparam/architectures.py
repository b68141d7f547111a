"""Names of architectures and probes: what they mean, and which files they come from.

An architecture is a block and any number of parts, ``block[+part[+part...]]``: ``mobilenetv2``, ``mobilenetv2+se``,
``nodepth_a+batchnorm+relu``. In published mode a network takes the place of the block: ``mobilenetv2_x0.5+se``. A
network of timm, ``timm:<name>``, takes no parts.

Nothing here imports torch, because the workflow asks at every start.
"""

from collections.abc import Iterable
from functools import cache

from lowparam import registry
from lowparam.errors import LowparamError

__all__ = ["block_entry", "is_timm", "origin", "part_entries", "probe_entry", "share_origin", "split"]

BLOCKS, PARTS, PROBES = "models/blocks", "models/parts", "models/probes"
TIMM = "timm:"


def is_timm(architecture: str) -> bool:
    """Return whether the architecture is a network of timm."""
    return architecture.startswith(TIMM)


def split(architecture: str) -> tuple[str, tuple[str, ...]]:
    """Split the name of an architecture into its block (or network) and its parts.

    Raises
    ------
    LowparamError
        If the block or a part is empty, or a part is named twice.
    """
    block, *parts = [architecture] if is_timm(architecture) else architecture.split("+")
    if not block or not all(parts):
        raise LowparamError(f"architecture {architecture!r}: write block+part+part, such as mobilenetv2+se")
    twice = next((part for part in parts if parts.count(part) > 1), None)
    if twice is not None:
        raise LowparamError(f"architecture {architecture}: names the part {twice} twice; write it once")
    return block, tuple(parts)


@cache
def block_entry(architecture: str) -> str:
    """Return the name of the file in ``models/blocks`` that defines the block of an architecture.

    The file is named as the architectures in it begin, up to an underscore (``nodepth_a`` is in ``nodepth.py``), unless
    it declares another beginning in ``PREFIX``.

    Raises
    ------
    LowparamError
        If there is no such file; the message offers the nearest name.
    """
    block, _ = split(architecture)
    beginning = block.partition("_")[0]
    known = registry.entries(BLOCKS)
    if beginning in known:
        return beginning
    prefixes = {registry.constants(BLOCKS, entry).get("PREFIX", entry): entry for entry in known}
    if beginning not in prefixes:
        raise LowparamError(f"unknown architecture {architecture!r}: {registry.nearest(beginning, prefixes)}")
    return prefixes[beginning]


def part_entries(architecture: str) -> tuple[str, ...]:
    """Return the names of the files in ``models/parts`` that an architecture uses, in the order of its name.

    Raises
    ------
    LowparamError
        If there is no such part; the message offers the nearest name.
    """
    _, parts = split(architecture)
    known = registry.entries(PARTS)
    for part in parts:
        if part not in known:
            raise LowparamError(f"architecture {architecture}: unknown part {part!r}: {registry.nearest(part, known)}")
    return parts


def probe_entry(probe: str) -> str | None:
    """Return the name of the file in ``models/probes`` that defines a probe (``solu`` of ``solu_s1_ln``).

    None for ``none``. Whether the file has that variant is up to `lowparam.models.probes.find_probe`.

    Raises
    ------
    LowparamError
        If there is no such file.
    """
    if probe == "none":
        return None
    family, known = probe.partition("_")[0], registry.entries(PROBES)
    if family not in known:
        raise LowparamError(f"unknown probe {probe!r}: known are none, {', '.join(f'{name}_s1' for name in known)}")
    return family


def share_origin(names: Iterable[str]) -> bool:
    """Return whether several architectures are one block, unchanged or changed in one factor or by parts."""
    names = set(names)
    return len(names) > 1 and len({origin(name) for name in names}) == 1


def origin(architecture: str) -> str:
    """Return the block that an architecture changes in one factor or by parts; itself if it changes none.

    >>> [origin(name) for name in ("mobilenetv2+layernorm", "ablation_nodepth_a_hidden", "convnext")]
    ['mobilenetv2', 'nodepth_a', 'convnext']
    """
    block, _ = split(architecture)
    if not block.startswith("ablation_"):
        return block
    changed = block.removeprefix("ablation_")
    starts = registry.constants(BLOCKS, "design_space")["STARTS"]
    return max((start for start in starts if f"{changed}_".startswith(f"{start}_")), key=len, default=block)
