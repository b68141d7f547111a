"""Write the tables of measures in docs/science/interference.md: `lowparam docs`."""

from pathlib import Path

from lowparam.interference import measures
from lowparam.interference.summary import columns
from lowparam.page_tables import markdown

__all__ = ["PAGE", "column_table", "tables", "value_table"]

PAGE = Path("docs/science/interference.md")


def tables() -> dict[str, str]:
    """Return the Markdown tables of the page by the names of their markers."""
    return {"values": value_table(), "columns": column_table()}


def value_table() -> str:
    """Return a Markdown table of all values of a profile: name, meaning, range, null, sites, file."""
    rows = []
    for name in measures.names():
        declared = measures.declared(name)
        file = f"`{name}`" if declared.get("DEFAULT") else f"`{name}` (off by default)"
        for value, about in declared["VALUES"].items():
            row = {"value": f"`{value}`", "meaning": about["means"], "range": about["range"], "null": about["null"]}
            rows.append({**row, "at": about["at"], "file": file, "needs": ", ".join(declared["NEEDS"])})
    return markdown(rows)


def column_table() -> str:
    """Return a Markdown table of the columns that measures add to runs.csv: name, meaning, file."""
    entries = columns().items()
    return markdown(
        [{"column": f"`{name}`", "meaning": entry["means"], "file": f"`{entry['measure']}`"} for name, entry in entries]
    )
