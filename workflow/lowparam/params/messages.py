"""Findings of pydantic in one line: the key, what is wrong with it, and what would be right."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

__all__ = ["describe", "first_finding"]


def first_finding(error: ValidationError) -> Mapping[str, Any]:
    """Return the finding of a validation to report, as pydantic describes it.

    An unknown key comes first, because the key that is missing is often the one that was meant.
    """
    return min(error.errors(), key=lambda finding: finding["type"] != "extra_forbidden")


def describe(finding: Mapping[str, Any], sections: Iterable[type[BaseModel]]) -> str:
    """Write a finding as ``key: what is wrong, not what was given``.

    Parameters
    ----------
    finding : dict
        What `first_finding` returned; ``loc`` is the path to the key.
    sections : iterable of model classes
        Where to look for the key that was meant, if one is unknown.
    """
    key = ".".join(str(part) for part in finding["loc"])
    if finding["type"] == "extra_forbidden":
        known = sorted({name for section in sections for name in section.model_fields})
        near = difflib.get_close_matches(str(finding["loc"][-1]), known, n=1)
        return f"{key} is not a known key" + (f"; did you mean {near[0]!r}?" if near else "")
    if finding["type"] == "missing":
        return f"{key} is missing"
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "value_error":
        return f"{key}: {message}" if key else message
    if finding["type"] == "too_short":
        return f"{key} is empty; it needs at least one item"
    given = finding["input"]
    hint = "; write it with a point, as 1.0e-3" if finding["type"] == "float_type" and _is_number(given) else ""
    return f"{key}: {message[0].lower()}{message[1:]}, not {given!r}{hint}"


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return isinstance(text, str)
