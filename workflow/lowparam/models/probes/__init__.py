"""Probes: modules that an experiment inserts into a network to test for interference, one file a family.

The probe of Hollard et al. 2025 is SoLU. The paper applies it "on residual streams" and leaves the axis and the place
open. Here it acts over channels at each position, and its place is a named reading:

``s1``  after the residual sum; on the output of a block that has no shortcut
``s2``  on the branch, before it is added; on a block without a shortcut the same as ``s1``
``s3``  in place of the activation inside the block

SoLU does several things at once; each of its controls, which are its variants, ``scale`` and ``topk``, keeps some of
them. A probe is named ``<family>_<place>`` or ``<family>_<place>_<variant>``, such as ``solu_s1_ln``; ``none`` is no
probe.

The file of a family defines:

``LABEL``           its name in print, a literal; ``VARIANT_LABELS``, a literal dictionary, if it has variants
``VARIANTS``        what makes the module of each variant, by name; the empty name is the family itself

A module maps (N, C, H, W) to the same shape. No probe has parameters, so that a budget gives the same widths with each.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from lowparam import registry
from lowparam.architectures import probe_entry
from lowparam.errors import LowparamError

__all__ = ["PLACEMENTS", "Probe", "find_probe", "names"]

PLACEMENTS = {"s1": "stream", "s2": "branch", "s3": "activation"}


@dataclass(frozen=True)
class Probe:
    """Which module goes where.

    Parameters
    ----------
    placement : {"stream", "branch", "activation"} or None
        ``stream``: after the residual sum (S1). ``branch``: on what is added to the stream (S2).
        ``activation``: in place of the block's activation (S3). None: nowhere.
    make : callable or None
        Makes the module, which maps (N, C, H, W) to the same shape.
    """

    placement: str | None
    make: Callable[[], nn.Module] | None = None


def find_probe(name: str) -> Probe:
    """Return the probe of that name.

    Raises
    ------
    LowparamError
        If there is none; the message lists those that exist.
    """
    family = probe_entry(name)
    if family is None:
        return Probe(None)
    _, _, rest = name.partition("_")
    place, _, variant = rest.partition("_")
    variants = registry.load("models/probes", family).VARIANTS
    if place not in PLACEMENTS or variant not in variants or name.endswith("_"):
        raise LowparamError(f"unknown probe {name!r}: known are {', '.join(names())}")
    return Probe(PLACEMENTS[place], variants[variant])


def names() -> list[str]:
    """Return the names of all probes: ``none``, then file by file."""
    found = ["none"]
    for family in registry.entries("models/probes"):
        for variant in registry.load("models/probes", family).VARIANTS:
            found += ["_".join(filter(None, (family, place, variant))) for place in PLACEMENTS]
    return found
