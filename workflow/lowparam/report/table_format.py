"""One table in four forms: LaTeX for papers, Markdown and HTML for reading, csv with unrounded numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape
from tabulate import tabulate

from lowparam.files import atomic, write_text
from lowparam.report.escape import latex, markdown
from lowparam.report.formats import Cell

__all__ = ["Table"]

# A number as our tables print it, in the parts that siunitx aligns.
NUMBER = re.compile(
    r"(?P<relation>[<≤] )?(?P<sign>−)?(?P<whole>[\d ]+)(?P<part>\.\d+)?( ± (?P<spread>\d+(\.\d+)?))?(?P<mark>†)?"
)
RELATIONS = {"< ": "<", "≤ ": r"\le "}
PRINTED_ROWS = {True: 16, False: 36}  # more, with running text in them or not, do not fit on a page
COLUMN_LETTERS = 44  # a longer row is wider than a column of a two-column paper
EMPTY = ("", "–", "∞", "−∞", "not run")
SIUNITX = (
    r"\sisetup{uncertainty-mode=separate, retain-zero-uncertainty, table-align-text-after=false, "
    "reset-text-series=false, text-series-to-math, reset-math-version=false}"
)


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
        return "\n\n".join([self.caption, grid, *self.notes]) + "\n"

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

    def _letters(self) -> int:
        """Width of the printed rows: the longest text of every column, added up."""
        columns = zip(self.header, *self.rows, strict=True)
        return sum(max(len(_text(part)) for part in column) for column in columns)

    def latex(self, experiment: str) -> str:
        """Format as a table environment, which needs the LaTeX packages booktabs and siunitx (version 3)."""
        letters, lines = [], [[] for _ in self.rows]
        for place in range(len(self.header)):
            parts = [row[place] for row in self.rows]
            letter, cells = _column(parts, label=place < self.labels)
            share = self.paragraphs.get(place)
            letters.append(rf">{{\raggedright\arraybackslash}}p{{{share:g}\linewidth}}" if share else letter)
            for line, cell in zip(lines, cells, strict=True):
                line.append(cell)
        titles = [
            latex(title) if letter in "lr" or letter.startswith(">") else f"{{{latex(title)}}}"
            for title, letter in zip(self.header, letters, strict=True)
        ]
        # A wide table takes both columns of a two-column paper; in one column the two environments are the same.
        many = len(self.header) > 4
        environment = "table*" if many or self._letters() > COLUMN_LETTERS else "table"
        small = [r"  \footnotesize\setlength{\tabcolsep}{3pt}"] if many else []
        most = PRINTED_ROWS[bool(self.paragraphs)]  # a longer table is continued in another
        parts = [lines[start : start + most] for start in range(0, max(len(lines), 1), most)]
        text = []
        for place, part in enumerate(parts):
            caption = latex(" ".join([self.caption, *self.notes]))
            text += [
                rf"\begin{{{environment}}}",
                r"  \centering",
                *(
                    [rf"  \caption{{{caption}}}", rf"  \label{{tab:{experiment}-{self.name}}}"]
                    if place == 0
                    else [r"  \addtocounter{table}{-1}", r"  \caption{Continued.}"]
                ),
                rf"  {SIUNITX}",
                *small,
                rf"  \begin{{tabular}}{{{' '.join(letters)}}}",
                r"    \toprule",
                "    " + " & ".join(titles) + r" \\",
                r"    \midrule",
                *(f"    {' & '.join(line)}" + r" \\" for line in part),
                r"    \bottomrule",
                r"  \end{tabular}",
                rf"\end{{{environment}}}",
                "",
            ]
        return "\n".join(text)

    def write(self, folder: Path, experiment: str) -> None:
        """Write ``<name>.tex``, ``.md`` and ``.csv`` into `folder`."""
        write_text(folder / f"{self.name}.tex", self.latex(experiment))
        write_text(folder / f"{self.name}.md", self.markdown())
        with atomic(folder / f"{self.name}.csv") as temporary:
            self.numbers.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def _text(part: str | Cell) -> str:
    return part.plain() if isinstance(part, Cell) else part


def _column(parts: Sequence[str | Cell], label: bool) -> tuple[str, list[str]]:
    """Type of a column and its cells in LaTeX: a column of numbers is one of siunitx, aligned at the points."""
    texts = [_text(part) for part in parts]
    found = [None if text in EMPTY else NUMBER.fullmatch(text) for text in texts]
    numbers = [match for match in found if match]
    if not numbers or any(match is None and text not in EMPTY for match, text in zip(found, texts, strict=True)):
        return "l" if label else "r", [latex(text) for text in texts]
    whole = max(len(match["whole"].replace(" ", "")) for match in numbers)
    part = max(len(match["part"] or "") - 1 for match in numbers)
    spread = max(len(match["spread"].replace(".", "").lstrip("0")) or 1 if match["spread"] else 0 for match in numbers)
    width = "".join(
        [
            RELATIONS.get(next((match["relation"] for match in numbers if match["relation"]), ""), ""),
            "-" if any(match["sign"] for match in numbers) else "",
            f"{whole}.{max(part, 0)}",
            f"({spread})" if spread else "",
        ]
    )
    cells = []
    for text, match, cell in zip(texts, found, parts, strict=True):
        if match is None:
            cells.append(f"{{{latex(text)}}}" if text else "")
            continue
        number = RELATIONS.get(match["relation"] or "", "") + ("-" if match["sign"] else "")
        number += match["whole"].replace(" ", "") + (match["part"] or "")
        number += f" +- {match['spread']}" if match["spread"] else ""
        bold = r"\bfseries " if isinstance(cell, Cell) and cell.best else ""
        cells.append(bold + number + (f" {{{latex(match['mark'])}}}" if match["mark"] else ""))
    return f"S[table-format={width}]", cells
