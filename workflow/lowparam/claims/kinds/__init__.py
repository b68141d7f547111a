"""Kinds of test: one file each, found by itself.

A file ``<name>.py`` states what the workflow must know before anything is imported, as literal constants:

``QUESTION``
    What the test asks, in a few words; the row of the kind in docs/claims.md.
``DATA``
    What it is judged on: ``"runs"`` of trained networks, or ``"ranks"`` that a study counted.
``NEEDS``
    What an experiment must have to be judged on: a tuple of names from `lowparam.claims.availability.CONDITIONS`, all
    of which must hold.
``FIGURE``
    The name of the figure that shows it. If that depends on the outcome, a dictionary from patterns of outcomes to
    names, of which the first match counts. A test can name another with its key ``figure``.

and defines one class that is derived from `lowparam.claims.base.ClaimTest`, or from `Sided`, `Directed`, `Compared`
or `Association` there:

- ``kind: Literal["<name>"]`` and the keys that a test of this kind has in workflow/claims, as pydantic fields with a
  ``description``. Whatever names architectures is a selection of runs (`lowparam.claims.base.Arm`).
- ``find(runs) -> Finding`` judges the rows of runs.csv, or raises `NotTested` with the reason. ``Finding.data`` takes
  the arrays that the figure draws.
"""

from typing import get_args

from lowparam import registry
from lowparam.claims.availability import KINDS
from lowparam.claims.base import ClaimTest
from lowparam.errors import LowparamError

__all__ = ["find", "names"]


def names() -> list[str]:
    """Return the names of all kinds, sorted."""
    return registry.entries(KINDS)


def find(name: str) -> type[ClaimTest]:
    """Return the class of a kind.

    Raises
    ------
    LowparamError
        If there is no such kind, or its file does not define it.
    """
    module = registry.load(KINDS, name)
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, ClaimTest) and value.__module__ == module.__name__:
            field = value.model_fields.get("kind")
            if field is not None and get_args(field.annotation) == (name,):
                return value
    raise LowparamError(f"lowparam/{KINDS}/{name}.py has no class with the field kind: Literal[{name!r}]")
