"""The bottlenecks, one file each.

A file is named by what stands before the first underscore of its architectures' names (``nodepth_a`` is in
``nodepth.py``) and lists them in ``ARCHITECTURES``. A new file is found by itself.
"""

import difflib
import importlib
import pkgutil

from lowparam.errors import LowparamError
from lowparam.models.blocks.base import Block, Site

__all__ = ["Block", "Site", "find", "names"]


def _catalogue() -> dict[str, type[Block]]:
    catalogue: dict[str, type[Block]] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        catalogue |= getattr(importlib.import_module(f"{__name__}.{module.name}"), "ARCHITECTURES", {})
    return catalogue


def names() -> list[str]:
    """Names of all architectures, sorted by file and then in the order of the file."""
    return list(_catalogue())


def find(name: str) -> type[Block]:
    """Return the block class of an architecture.

    Raises
    ------
    LowparamError
        If no file in this folder names the architecture; the message offers the nearest name.
    """
    catalogue = _catalogue()
    if name not in catalogue:
        near = difflib.get_close_matches(name, catalogue, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(catalogue)}"
        raise LowparamError(f"unknown architecture {name!r}: {hint}")
    return catalogue[name]
