"""Find things that are one file each: a new file in a folder of them is found by itself.

Blocks, parts, probes, losses, penalties, measures, kinds of claims, data sources, tables and figures live in folders of
this package. Every such folder states its protocol in its ``__init__.py``. A file whose name begins with an underscore,
or is called ``base.py``, is a helper of the folder and no entry. An entry may also be a folder with an ``__init__.py``:
a study is.

Listing the names imports nothing, because the Snakefile needs them at every start.
"""

import ast
import difflib
import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from lowparam.errors import LowparamError

__all__ = ["PACKAGE", "about", "constants", "entries", "get", "load", "nearest", "parse"]

PACKAGE = Path(__file__).parent
LISTED = 30  # names in a message
Value = TypeVar("Value")


def entries(folder: str) -> list[str]:
    """Return the names of the entries of a folder such as ``"interference/measures"``, sorted; imports nothing."""
    files = [*(PACKAGE / folder).glob("[!_]*.py"), *(PACKAGE / folder).glob("[!_]*/__init__.py")]
    names = [file.parent.name if file.stem == "__init__" else file.stem for file in files]
    return sorted(name for name in names if name != "base")


def load(folder: str, name: str) -> ModuleType:
    """Import one entry of a folder.

    Raises
    ------
    LowparamError
        If there is no such entry; the message offers the nearest name.
    """
    known = entries(folder)
    if name not in known:
        raise LowparamError(f"no {name!r} in lowparam/{folder}; {nearest(name, known)}")
    return importlib.import_module(f"lowparam.{folder.replace('/', '.')}.{name}")


@cache
def constants(folder: str, name: str) -> dict[str, Any]:
    """Read the literal constants (upper case names) at the head of an entry without importing it.

    An entry declares there what the workflow needs to know before anything runs, such as a caption.
    """
    found: dict[str, Any] = {}
    for node in _tree(folder, name).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id.isupper():
            try:
                found[target.id] = ast.literal_eval(node.value)
            except ValueError:  # not a literal: known only once the entry is imported
                continue
    return found


@cache
def about(folder: str, name: str) -> str:
    """Return the first line of an entry's docstring, without its full stop; empty if there is none."""
    return (ast.get_docstring(_tree(folder, name)) or "").partition("\n")[0].removesuffix(".")


def _tree(folder: str, name: str) -> ast.Module:
    path = PACKAGE / folder / name / "__init__.py"
    return parse(path if path.is_file() else PACKAGE / folder / f"{name}.py")


@cache
def parse(path: Path) -> ast.Module:
    """Parse a source file, once in a process, because parsing is slow."""
    return ast.parse(path.read_text(encoding="utf-8"))


def get(name: str, known: Mapping[str, Value], what: str) -> Value:
    """Look a name up.

    Raises
    ------
    LowparamError
        If it is not known: ``unknown <what> 'name'; did you mean ...``.
    """
    if name not in known:
        raise LowparamError(f"unknown {what} {name!r}; {nearest(name, known)}")
    return known[name]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known name, or the list of all names, or of the first of many."""
    known = list(known)
    if near := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {near[0]!r}?"
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"known are {', '.join(known[:LISTED])}{more}"
