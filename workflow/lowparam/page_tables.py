"""Write tables that come from the code into pages of docs/, between the markers that a page has for them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lowparam.errors import LowparamError
from lowparam.files import write_text

__all__ = ["COMMAND", "fill", "markdown", "write"]

COMMAND = "lowparam docs"


def fill(text: str, tables: Mapping[str, str]) -> str:
    """Return a page with each table between its markers.

    Raises
    ------
    LowparamError
        If a marker is missing.
    """
    for name, table in tables.items():
        begin, end = f"<!-- {name}: written by `{COMMAND}` -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise LowparamError(f"the page has no {begin.strip()} ... {end}")
        text = f"{before}{begin}\n{table}\n\n{end}{after}"
    return text


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as a Markdown table with single spaces, so that a new row changes no other line."""
    table = pd.DataFrame(rows)
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines)


def write(page: Path, tables: Mapping[str, str]) -> None:
    """Write tables into a page."""
    write_text(page, fill(page.read_text(encoding="utf-8"), tables))
