"""Blocks (bottlenecks), one file each, and the networks of their papers.

A file is named by what is before the first underscore of its architectures' names (``nodepth_a`` is in ``nodepth.py``),
or declares that beginning in ``PREFIX``. It defines:

``ARCHITECTURES``  the blocks by name, subclasses of `lowparam.models.blocks.base.Block`, a dictionary
``LABELS``         what they are called in print, by name, literal; one that is not listed keeps its own
``ABLATIONS``      further blocks that differ from one of these in one factor, if it has any
``PUBLISHED``      what makes the `lowparam.models.blocks.base.Layout` of each published network, by name, from
                   ``in_channels`` (channels of the images), ``small`` (whether they have fewer than 96 pixels) and
                   ``make`` (which makes the layers of the blocks), if it has any

A file may have networks alone, where they have no block that fits the skeleton.

A block gets its layers from its `lowparam.models.make.Make`, so that it takes parts. A new file is found by itself.
"""

from collections.abc import Callable
from typing import Any

from lowparam import registry
from lowparam.architectures import BLOCKS, block_entry, split
from lowparam.errors import LowparamError
from lowparam.models.blocks.base import Block, Layout, Site

__all__ = ["Block", "Layout", "Site", "ablations", "find", "find_published", "names", "published"]


def names() -> list[str]:
    """Return the names of all architectures of the controlled mode without parts, sorted by file."""
    return _all("ARCHITECTURES")


def ablations() -> list[str]:
    """Return the names of the architectures that differ from another in one factor."""
    return _all("ABLATIONS")


def published() -> list[str]:
    """Return the names of all published networks, sorted by file."""
    return _all("PUBLISHED")


def find(architecture: str) -> type[Block]:
    """Return the class of an architecture's block, whatever its parts.

    Raises
    ------
    LowparamError
        If no file in this folder defines the block; the message offers the nearest name.
    """
    return _named(architecture, ("ARCHITECTURES", "ABLATIONS"), "architecture")


def find_published(network: str) -> Callable[..., Layout]:
    """Return what makes the `Layout` of a published network, as described at the head of this file.

    Raises
    ------
    LowparamError
        If no file in this folder defines the network; the message offers the nearest name.
    """
    return _named(network, ("PUBLISHED",), "published network")


def _named(architecture: str, listings: tuple[str, ...], what: str) -> Any:
    name, _ = split(architecture)
    try:
        entry = block_entry(name)
    except LowparamError:
        known = {}
    else:
        module = registry.load(BLOCKS, entry)
        known = {key: value for listing in listings for key, value in getattr(module, listing, {}).items()}
    if name not in known:
        everything = [known for listing in listings for known in _all(listing)]
        raise LowparamError(f"unknown {what} {name!r}: {registry.nearest(name, everything)}")
    return known[name]


def _all(listing: str) -> list[str]:
    return [name for entry in registry.entries(BLOCKS) for name in getattr(registry.load(BLOCKS, entry), listing, {})]
