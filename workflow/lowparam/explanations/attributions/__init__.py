"""Attributions, one file a method: how much each pixel of an image counts for an output.

A file declares, as literal constants,

``LABEL : str``
    Its name in print.
``PLACE : int``
    Methods are shown in the order of their places.
``PACKAGE : str``, optional
    The package that it needs, of those that ``pip install 'lowparam[explain]'`` brings.

and defines ``attribute(subject, images, targets)``: from float32 images (N, C, H, W) and the index of an output for
each (N,) to a map (N, H, W), signed if the method tells for from against. `Subject` has what else a method may use. It
leaves the network as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from torch import Tensor, nn

from lowparam import registry
from lowparam.models.blocks import Site

__all__ = ["FOLDER", "Subject", "find", "last_map", "names"]

FOLDER = "explanations/attributions"


@dataclass
class Subject:
    """A network in eval mode, and what methods may know of it.

    Parameters
    ----------
    net : nn.Module
        From images (N, C, H, W) to logits (N, K).
    layer : nn.Module or None
        The last module whose output is a map (N, C, h, w) of several positions, for methods that read one.
    sample : Tensor
        Images (M, C, H, W) of the same kind, for methods that need statistics of layers.
    """

    net: nn.Module
    layer: nn.Module | None
    sample: Tensor

    @cached_property
    def patterns(self) -> dict[str, Tensor]:
        """The patterns of convolutions and linear layers, by module."""
        from lowparam.explanations.attributions.pattern_attribution import patterns

        return patterns(self.net, self.sample)


def names() -> list[str]:
    """Return the names of all methods in their order, without importing them."""
    known = registry.entries(FOLDER)
    return sorted(known, key=lambda name: (registry.constants(FOLDER, name)["PLACE"], name))


def find(name: str) -> ModuleType:
    """Import a method.

    Raises
    ------
    LowparamError
        If there is none of that name; the message offers the nearest.
    """
    registry.get(name, dict.fromkeys(names()), "attribution")
    return registry.load(FOLDER, name)


def last_map(sites: Mapping[str, Site], shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, nn.Module | None]:
    """Return the name and the module of the last stream of several positions, else of the last such map of any kind.

    Parameters
    ----------
    sites : mapping of str to Site
        In the order of data.
    shapes : mapping of str to tuple of int
        The shape of the output of each.
    """
    wide = [name for name, shape in shapes.items() if len(shape) == 4 and min(shape[2:]) > 1]
    chosen = [name for name in wide if sites[name].kind == "stream"] or wide
    return (chosen[-1], sites[chosen[-1]].output) if chosen else ("", None)
