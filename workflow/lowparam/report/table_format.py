"""One table in four forms: LaTeX for papers, Markdown and HTML for reading, csv with unrounded numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape
from tabulate import tabulate

from lowparam.files import write_csv, write_text
from lowparam.report import table_latex
from lowparam.report.escape import latex, markdown
from lowparam.report.formats import Cell

__all__ = ["Table", "markdown_grid"]

NO_ROWS = "There are no rows."


@dataclass
class Table:
    """Rows of labels and cells under a header.

    Parameters
    ----------
    header : sequence of str
        One text a column.
    rows : sequence of sequences
        `str` for a label, `Cell` for a number.
    labels : int
        How many columns on the left are labels.
    numbers : DataFrame
        The same numbers unrounded, one row a cell, for the csv.
    notes : list of str
        Sentences under the table.
    paragraphs : dict of int to float
        Columns of running text, with their width in LaTeX as a share of the line.
    details : dict
        What fills in the placeholders of the file's ``CAPTION``.
    name : str
        File name without suffix; the LaTeX label is ``tab:<experiment>-<name>``. Set by the writer.
    caption : str
        A sentence or two that make the table readable by itself: what, unit, spread, number of runs. Set by the writer.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    labels: int
    numbers: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    paragraphs: dict[int, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    caption: str = ""

    def markdown(self) -> str:
        """Format as a Markdown table under its caption, with the notes below."""
        body = [[part.markdown() if isinstance(part, Cell) else markdown(part) for part in row] for row in self.rows]
        align = ["left"] * self.labels + ["right"] * (len(self.header) - self.labels)
        grid = tabulate(body, self.header, tablefmt="github", colalign=align, disable_numparse=True)
        return "\n\n".join([self.caption, grid if body else NO_ROWS, *self.notes]) + "\n"

    def html(self) -> Markup:
        """Format as an HTML table under its caption, with the notes below; all texts are escaped."""

        def cell(tag: str, part: str | Cell, column: int) -> str:
            kind = ' class="wide"' if column in self.paragraphs else "" if column < self.labels else ' class="number"'
            if isinstance(part, Cell) and part.best:
                mean, spread = part.parts()
                return f"<{tag}{kind}><strong>{escape(mean)}</strong>{escape(spread)}</{tag}>"
            return f"<{tag}{kind}>{escape(_text(part))}</{tag}>"

        def line(tag: str, parts: Sequence[str | Cell]) -> str:
            return f"<tr>{''.join(cell(tag, part, column) for column, part in enumerate(parts))}</tr>"

        if not self.rows:
            return Markup("\n").join(Markup("<p>{}</p>").format(text) for text in (self.caption, NO_ROWS, *self.notes))
        return Markup(
            "\n".join(
                [
                    f"<p>{escape(self.caption)}</p>",
                    "<table>",
                    f"<thead>{line('th', list(self.header))}</thead>",
                    "<tbody>",
                    *(line("td", row) for row in self.rows),
                    "</tbody>",
                    "</table>",
                    *(f"<p>{escape(note)}</p>" for note in self.notes),
                ]
            )
        )

    def arrangement(self) -> table_latex.Arrangement:
        """Return how the table is set in LaTeX, with the width that it takes by estimate."""
        return table_latex.arrange(self._columns())

    def latex(self, experiment: str) -> str:
        """Format as one or more table environments that fit the page, as `lowparam.report.table_latex` describes."""
        caption = latex(" ".join([self.caption, *self.notes]))
        return "\n".join(table_latex.environments(self._columns(), caption, f"tab:{experiment}-{self.name}"))

    def _columns(self) -> list[table_latex.Column]:
        return [
            table_latex.column(
                title,
                [row[place] for row in self.rows],
                label=place < self.labels,
                share=self.paragraphs.get(place),
            )
            for place, title in enumerate(self.header)
        ]

    def write(self, folder: Path, experiment: str) -> None:
        """Write ``<name>.tex``, ``.md`` and ``.csv`` into `folder`."""
        write_text(folder / f"{self.name}.tex", self.latex(experiment))
        write_text(folder / f"{self.name}.md", self.markdown())
        write_csv(folder / f"{self.name}.csv", self.numbers)


def markdown_grid(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Format texts as a Markdown table."""
    cells = [[markdown(cell) for cell in row] for row in rows]
    return tabulate(cells, header, tablefmt="github", disable_numparse=True)


def _text(part: str | Cell) -> str:
    return part.plain() if isinstance(part, Cell) else part
