"""Write the tables of measures in docs/science/interference.md: `lowparam docs`."""

from pathlib import Path

import pandas as pd

from lowparam.errors import LowparamError
from lowparam.files import write_text
from lowparam.interference import measures
from lowparam.interference.summary import columns

__all__ = ["COMMAND", "PAGE", "column_table", "fill", "value_table"]

PAGE = Path("docs/science/interference.md")
COMMAND = "lowparam docs"


def value_table() -> str:
    """Return a Markdown table of all values of a profile: name, meaning, range, null, sites, file."""
    rows = []
    for name in measures.names():
        declared = measures.declared(name)
        file = f"`{name}`" if declared.get("DEFAULT") else f"`{name}` (off by default)"
        for value, about in declared["VALUES"].items():
            row = {"value": f"`{value}`", "meaning": about["means"], "range": about["range"], "null": about["null"]}
            rows.append({**row, "at": about["at"], "file": file, "needs": ", ".join(declared["NEEDS"])})
    return _markdown(rows)


def column_table() -> str:
    """Return a Markdown table of the columns that measures add to runs.csv: name, meaning, file."""
    entries = columns().items()
    return _markdown(
        [{"column": f"`{name}`", "meaning": entry["means"], "file": f"`{entry['measure']}`"} for name, entry in entries]
    )


def fill(text: str) -> str:
    """Return a page with the tables between their markers.

    Raises
    ------
    LowparamError
        If a marker is missing.
    """
    for name, table in (("values", value_table()), ("columns", column_table())):
        begin, end = f"<!-- {name}: written by `{COMMAND}` -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise LowparamError(f"the page has no {begin.strip()} ... {end}")
        text = f"{before}{begin}\n{table}\n\n{end}{after}"
    return text


def _markdown(rows: list[dict[str, str]]) -> str:
    """Return rows as a Markdown table with single spaces, so that a new row changes no other line."""
    table = pd.DataFrame(rows)
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines)


def write_tables(page: Path = PAGE) -> None:
    """Write the tables into the page."""
    write_text(page, fill(page.read_text(encoding="utf-8")))
