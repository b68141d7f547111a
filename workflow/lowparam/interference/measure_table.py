"""Write the tables of measures in docs/science/interference.md: `lowparam docs`."""

from pathlib import Path

from lowparam.interference import measures
from lowparam.interference.summary import columns
from lowparam.page_tables import markdown

__all__ = ["PAGE", "column_table", "cost", "tables", "value_table"]

PAGE = Path("docs/science/interference.md")


def tables() -> dict[str, str]:
    """Return the Markdown tables of the page by the names of their markers."""
    return {"values": value_table(), "columns": column_table()}


def value_table() -> str:
    """Return a Markdown table of all values of a profile: name, meaning, range, null, sites, file, needs, cost."""
    rows = []
    for name in measures.names():
        declared = measures.declared(name)
        file = f"`{name}`" if declared.get("DEFAULT") else f"`{name}` (off by default)"
        for value, about in declared["VALUES"].items():
            row = {"value": f"`{value}`", "meaning": about["means"], "range": about["range"], "null": about["null"]}
            rows.append(
                {**row, "at": about["at"], "file": file, "needs": ", ".join(declared["NEEDS"]), "cost": cost(name)}
            )
    return markdown(rows)


def cost(name: str) -> str:
    """Return what a measure costs, as a share of a profile with the default measures; empty if it was not measured."""
    share = measures.declared(name).get("COST")
    return "" if share is None else "< 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")


def column_table() -> str:
    """Return a Markdown table of the columns that measures add to runs.csv: name, meaning, file."""
    entries = columns().items()
    return markdown(
        [{"column": f"`{name}`", "meaning": entry["means"], "file": f"`{entry['measure']}`"} for name, entry in entries]
    )
