"""Write the tables of kinds of tests and their keys in docs/claims.md: `lowparam docs`."""

from pathlib import Path

from pydantic.fields import FieldInfo

from lowparam.claims import kinds
from lowparam.claims.availability import kind_constants
from lowparam.claims.base import ClaimTest
from lowparam.page_tables import markdown

__all__ = ["PAGE", "tables"]

PAGE = Path("docs/claims.md")


def tables() -> dict[str, str]:
    """Return the Markdown tables of the page by the names of their markers."""
    return {"kinds": _kinds(), "keys": _keys()}


def _kinds() -> str:
    """List the kinds: question, what they are judged on, and the keys that they have in addition to those of all."""
    rows = []
    for name in kinds.names():
        constants = kind_constants(name)
        keys = ", ".join(f"`{key}`" for key in _own(name))
        rows.append({"kind": f"`{name}`", "question": constants["QUESTION"], "data": constants["DATA"], "keys": keys})
    return markdown(rows)


def _keys() -> str:
    """List the keys of tests: those of all kinds first, then the others with the kinds that have them."""
    of_key: dict[tuple[str, str, str], list[str]] = {}
    for key, field in ClaimTest.model_fields.items():
        of_key[key, field.description or "", _default(field)] = []
    for name in kinds.names():
        for key, field in _own(name).items():
            of_key.setdefault((key, field.description or "", _default(field)), []).append(f"`{name}`")
    return markdown(
        [
            {"key": f"`{key}`", "meaning": meaning, "default": default, "kinds": ", ".join(names) or "all"}
            for (key, meaning, default), names in of_key.items()
        ]
    )


def _own(name: str) -> dict[str, FieldInfo]:
    """Return the keys of a kind that not every kind has."""
    shared = {"kind", *ClaimTest.model_fields}
    return {key: field for key, field in kinds.find(name).model_fields.items() if key not in shared}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None or field.default in ("", []):
        return "none"
    if isinstance(field.default, dict):
        return "`{ " + ", ".join(f"{key}: {value}" for key, value in field.default.items()).replace("'", '"') + " }`"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"
