"""The bottlenecks, one file each.

A file is named by what stands before the first underscore of its architectures' names (``nodepth_a`` is in
``nodepth.py``) and lists them in ``ARCHITECTURES``; the networks of its paper are in ``PUBLISHED``. A new file is
found by itself.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from lowparam.errors import LowparamError
from lowparam.models.blocks.base import Block, Layout, Site

__all__ = ["Block", "Layout", "Site", "ablations", "find", "find_published", "names", "published"]


def _catalogue(listing: str) -> dict[str, Any]:
    catalogue: dict[str, Any] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        catalogue |= getattr(importlib.import_module(f"{__name__}.{module.name}"), listing, {})
    return catalogue


def names() -> list[str]:
    """Names of all architectures of the controlled mode, sorted by file and then in the order of the file."""
    return list(_catalogue("ARCHITECTURES"))


def find(name: str) -> type[Block]:
    """Return the block class of an architecture.

    Raises
    ------
    LowparamError
        If no file in this folder names the architecture; the message offers the nearest name.
    """
    return _known(name, _catalogue("ARCHITECTURES") | _catalogue("ABLATIONS"), "architecture")


def ablations() -> list[str]:
    """Names of the architectures that differ from another in one factor (see `ablation`)."""
    return list(_catalogue("ABLATIONS"))


def published() -> list[str]:
    """Names of all published networks, sorted by file and then in the order of the file."""
    return list(_catalogue("PUBLISHED"))


def find_published(name: str) -> Callable[..., Layout]:
    """Return what makes the `Layout` of a published network from ``in_channels``, ``small`` and ``activation``.

    Raises
    ------
    LowparamError
        If no file in this folder names the network; the message offers the nearest name.
    """
    return _known(name, _catalogue("PUBLISHED"), "published network")


def _known(name: str, catalogue: dict[str, Any], what: str) -> Any:
    if name not in catalogue:
        near = difflib.get_close_matches(name, catalogue, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(catalogue)}"
        raise LowparamError(f"unknown {what} {name!r}: {hint}")
    return catalogue[name]
