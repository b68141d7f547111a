"""The measures of a profile: one file each, found by itself.

Protocol. ``measures/<name>.py`` declares, as literal constants (they are read without importing the file):

``PLACE : int``
    Rows of a site are in the order of the places of their measures, and by name where these are equal.
``NEEDS : tuple of str``
    What of the context the measure uses:
    ``"sums"``, the sums of the one pass over each feature map (`context.inputs`, `context.outputs`);
    ``"pooled"``, those over the pooled maps of streams (`context.pooled`);
    ``"own sums"``, sums that the file defines itself (`context.sums`, see below);
    ``"network"``, the network, which it runs itself;
    ``"logits"``, the network and its logits, so the classifier must be of the classes of the images.
``VALUES : dict``
    The names that it writes into the column ``measure`` of a profile. Each has ``means`` (one line), ``range`` (with
    the unit, if any), ``null`` (what the null is, or "none") and ``at`` (the kinds of sites).
``SUMMARY : dict``, optional
    The columns that it adds to runs.csv. Each has ``value`` (one of its VALUES) and ``means`` (one line), and may have
    ``kinds``, ``sites``, ``take``, ``column`` and ``place``: see `lowparam.interference.summary`.
``COST : float``, optional
    CPU time over that of a profile with the default measures, on the network that docs/science/interference.md names.
``DEFAULT = True``, optional
    Every profile has the measure. Only the measures that recorded results have are marked so, because another one
    would make them out of date. Without it, a measure is added by ``profile: { measures: [<name>] }`` in params.yaml.

and defines:

``measure(context) -> list[Value]``
    Returns one `lowparam.interference.measurement.Value` a measure and site. What is undefined is returned by
    `undefined`, with the reason. It draws only from generators of its own with fixed seeds, or `context.seed`, and does
    not change the network. `lowparam.interference.context.Context` has what it may use.
``class Sums``, optional
    Sums that the one pass must fill for this measure alone: ``Sums(context)`` makes them, and ``add(name, site, maps,
    batch)`` is called with every feature map (N, positions, C) in float32; `batch` (`one_pass.Batch`) has the images'
    indices, labels and folds. `context.sums[<name>]` is the filled object. Sums should be float64, per fold.
"""

from types import ModuleType
from typing import Any

from lowparam import registry
from lowparam.params import Profile

__all__ = ["FOLDER", "declared", "find", "names"]

FOLDER = "interference/measures"
LAST = 1000
"""The place of a measure or a column that names none."""


def names(settings: Profile | None = None) -> list[str]:
    """Return the names of the measures of a profile, in the order of their places, without importing them.

    Parameters
    ----------
    settings : Profile, optional
        Adds its ``measures`` to the default ones; None takes all measures that exist.

    Raises
    ------
    LowparamError
        If a name in the settings is not a measure.
    """
    known = registry.entries(FOLDER)
    if settings is not None:
        for name in settings.measures:
            registry.get(name, dict.fromkeys(known), "measure")
        known = [name for name in known if declared(name).get("DEFAULT") or name in settings.measures]
    return sorted(known, key=lambda name: (declared(name).get("PLACE", LAST), name))


def declared(name: str) -> dict[str, Any]:
    """Return the literal constants that a measure declares, without importing it."""
    return registry.constants(FOLDER, name)


def find(name: str) -> ModuleType:
    """Import a measure.

    Raises
    ------
    LowparamError
        If there is none of that name; the message offers the nearest.
    """
    return registry.load(FOLDER, name)
