"""Findings of pydantic in one line: the key, what is wrong with it, and what would be right."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError

__all__ = ["describe", "first_finding"]

NEEDS_A_VALUE = ("int_type", "float_type", "bool_type", "string_type", "list_type", "dict_type", "model_type")
"""Types of pydantic's findings; null is then a key that somebody left empty."""


def first_finding(error: ValidationError) -> Mapping[str, Any]:
    """Return the finding of a validation to report, as pydantic describes it.

    An unknown key comes first, because the key that is missing is often the one that was meant.
    """
    return min(error.errors(), key=lambda finding: finding["type"] != "extra_forbidden")


def describe(
    finding: Mapping[str, Any],
    sections: Iterable[type[BaseModel]],
    written: Callable[[Sequence[str], Any], str | None] = lambda place, value: None,
) -> str:
    """Write a finding as ``key: what is wrong, not what was given``.

    Parameters
    ----------
    finding : dict
        What `first_finding` returned; ``loc`` is the path to the key.
    sections : iterable of model classes
        Where to look for the key that was meant, if one is unknown.
    written : callable
        From the path to a value, and the value, to its text in the file (`lowparam.files.as_written`); None if unknown.
    """
    place = [str(part) for part in finding["loc"]]
    of_name = place[-1:] == ["[key]"]
    text = written(place[:-1] if of_name else place, finding["input"]) or _in_yaml(finding["input"])
    if of_name or finding["type"] == "invalid_key":
        of, about = ".".join(place[: -2 if of_name else -1]), _describe_name(finding, text)
        return f"{of}: {about}" if of else about
    key = ".".join(place)
    if finding["type"] == "extra_forbidden":
        homes = {name: section.__name__.lower() for section in sections for name in section.model_fields}
        if place[-1] in homes:
            return f"{key} is not a known key; {place[-1]} belongs in {homes[place[-1]]}"
        near = difflib.get_close_matches(place[-1], sorted(homes), n=1)
        return f"{key} is not a known key" + (f"; did you mean {near[0]!r}?" if near else "")
    if finding["type"] == "missing":
        return f"{key} is missing"
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] in ("value_error", "union_tag_invalid", "union_tag_not_found"):
        return f"{key}: {message}" if key else message
    if finding["type"] == "too_short":
        least, count = finding["ctx"]["min_length"], finding["ctx"]["actual_length"]
        if count == 0:
            return f"{key} is empty; it needs at least {'one item' if least == 1 else f'{least} items'}"
        return f"{key} has {'one item' if count == 1 else f'{count} items'}; it needs at least {least}"
    if finding["type"] == "too_long":
        return f"{key} has {finding['ctx']['actual_length']} items; it takes at most {finding['ctx']['max_length']}"
    given = finding["input"]
    if given is None and finding["type"] in NEEDS_A_VALUE:
        return f"{key} has no value"
    what = shortened(given) if given is None or isinstance(given, str | bool | list | dict) else text
    return f"{key}: {message[0].lower()}{message[1:]}, not {what}{_hint(finding['type'], given, text)}"


def shortened(value: Any, length: int = 60) -> str:
    """Write a value for a message, cut if it is long: somebody may have put a list or a section in its place."""
    text = repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _describe_name(finding: Mapping[str, Any], text: str) -> str:
    """Describe what is wrong with a name that is the key of a mapping."""
    name = finding["input"]
    if finding["type"] == "value_error":  # `lowparam.params.names` names the name
        return finding["msg"].removeprefix("Value error, ")
    if isinstance(name, str):
        return f"{name!r} is not a name; {finding['msg'][0].lower()}{finding['msg'][1:]}"
    return f'YAML reads the name {text} as {_kind(name)}; quote it: "{text}"'


def _hint(kind: str, given: Any, text: str) -> str:
    """Explain how to write what was probably meant."""
    if kind in ("float_type", "int_type") and isinstance(given, str) and (number := _number(given)) is not None:
        whole = int(number) if number.is_integer() else number
        return f"; write it without quotes: {whole if kind == 'int_type' else number}"
    if kind in ("int_type", "int_from_float") and isinstance(given, float) and given.is_integer():
        return f"; write {int(given)}"
    if kind == "bool_type" and given in ("yes", "on", "no", "off", "y", "n", "Yes", "No", "On", "Off", 0, 1):
        return "; write true or false"
    if kind == "string_type" and not isinstance(given, dict | list):
        return f'; quote it: "{text}"'
    return ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _in_yaml(value: Any) -> str:
    """Write a value as it was probably written, where the file does not tell."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _kind(value: Any) -> str:
    names = {type(None): "no value", bool: "true or false", int: "a number", float: "a number", date: "a date"}
    return names.get(type(value), type(value).__name__)
