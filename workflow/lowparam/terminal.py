"""What a terminal can show: plain letters where its encoding has no others, and its width where it has one."""

import codecs
import os
import sys
import unicodedata
from pathlib import Path

from rich.console import Console

__all__ = ["console", "write_what_the_encoding_has"]

PLAIN = {
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "×": "x",
    "·": ".",
    "•": "-",
    "→": "->",
    "←": "<-",
    "≤": "<=",
    "≥": ">=",
    "±": "+-",
    "≈": "~",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "α": "alpha",
    "β": "beta",
    "λ": "lambda",
    "ρ": "rho",
    "ß": "ss",
}
UNLIMITED = 10_000
"""Columns of a console that no terminal limits: more than any table has."""


def write_what_the_encoding_has() -> None:
    """Let the standard streams write what is near where their encoding lacks a character, instead of failing.

    A stream that was closed before the start, which Python has as None, becomes one that goes nowhere.
    """
    codecs.register_error("lowparam.plain", _plainly)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="lowparam.plain")


def console() -> Console:
    """Return the console of standard output: as wide as its terminal, and without a limit in a pipe or a file."""
    return Console() if sys.stdout.isatty() else Console(width=UNLIMITED)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Replace what cannot be encoded by what is near, or by its number as Python writes it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_near(character) for character in found), error.end


def _near(character: str) -> str:
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return PLAIN.get(character) or bare or character.encode("ascii", "backslashreplace").decode()
