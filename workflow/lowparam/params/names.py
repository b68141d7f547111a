"""The names in params.yaml: one rule for each kind, which comes from the programs that read the name.

An experiment, a data set and a recipe name a folder, a stage of DVC, a key of ``dvc exp run -S``, a rule of Snakemake
and a command of LaTeX. A variant is a part of the names of folders. An architecture may be one of timm, whose names
have points. Everything else is the name of a file of Python.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

__all__ = ["Architecture", "Entry", "Name", "Probe", "Variant", "alike"]


LONGEST = 80
"""Characters of a name; a folder has several, and file systems take 255."""


def _kind(pattern: str, rule: str) -> Any:
    """Return a type of text that must match a pattern; `rule` is the pattern in words."""

    def check(name: str) -> str:
        if not re.fullmatch(pattern, name):
            raise ValueError(f"{name!r} cannot be a name; {rule}")
        if len(name) > LONGEST:
            raise ValueError(f"{name[:20]}… cannot be a name; write at most {LONGEST} characters, not {len(name)}")
        return name

    return Annotated[str, AfterValidator(check), Field(json_schema_extra={"pattern": f"^{pattern}$"})]


Entry = _kind(r"[A-Za-z][A-Za-z0-9_]*", "write a letter, then letters, digits and _")
"""Name of a file in the package, or of an option of one."""
Probe = _kind(
    r"[A-Za-z][A-Za-z0-9_]*(\.[0-9]+)?",
    "write a letter, then letters, digits and _; a number at its end may have a point",
)
"""Name of a probe, such as ``solu_s1_t0.25``."""
Name = _kind(r"[A-Za-z0-9][A-Za-z0-9_]*", "write letters, digits and _, with a letter or digit first")
"""Name of an experiment, a data set or a recipe."""
Variant = _kind(
    r"[A-Za-z0-9]([A-Za-z0-9_.]*[A-Za-z0-9_])?", "write letters, digits, _ and points, with a letter or digit first"
)
"""Name of a variant of a recipe, such as ``lr0.01``."""
Architecture = _kind(r"[A-Za-z][A-Za-z0-9_.:+]*", "write a block such as mobilenetv2, or timm: and a name of timm")
"""Name of an architecture."""


def alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two names that differ in upper and lower case alone, which share a folder on some systems."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            return other, name
    return None
