"""One table, three forms: LaTeX for papers, Markdown for reading, csv with the bare numbers."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from lowparam.claims.statistics import Estimate
from lowparam.files import atomic, write_text

__all__ = ["Cell", "Table"]

# What LaTeX would take for a command, and the few signs beyond ASCII that our texts use.
LATEX = str.maketrans(
    {
        "_": r"\_",
        "%": r"\%",
        "&": r"\&",
        "#": r"\#",
        "±": r"$\pm$",
        "−": "$-$",
        "×": r"$\times$",
        "′": r"$'$",
        "†": r"$^\dagger$",
        "²": "$^2$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "√": r"$\surd$",
        "^": r"\^{}",
        "<": "$<$",
        "∞": r"$\infty$",
    }
)


@dataclass(frozen=True)
class Cell:
    """A mean with its interval as it stands in print.

    Parameters
    ----------
    estimate : Estimate
        In the unit of the table.
    digits : int
        Digits after the point.
    best : bool
        Whether to print it bold.
    mark : str
        A sign behind the number that a note explains.
    """

    estimate: Estimate
    digits: int = 1
    best: bool = False
    mark: str = ""

    def _parts(self) -> tuple[str, str]:
        if np.isnan(self.estimate.mean):
            return "–", ""
        mean = f"{self.estimate.mean:.{self.digits}f}".replace("-", "−")
        return mean, "" if np.isnan(self.estimate.half_width) else f" ± {self.estimate.half_width:.{self.digits}f}"

    def markdown(self) -> str:
        mean, spread = self._parts()
        return (f"**{mean}**" if self.best else mean) + spread + self.mark

    def latex(self) -> str:
        mean, spread = (part.translate(LATEX) for part in self._parts())
        return (rf"\textbf{{{mean}}}" if self.best else mean) + spread + self.mark.translate(LATEX)


@dataclass
class Table:
    """Rows of labels and cells under a header.

    Parameters
    ----------
    name : str
        File name without suffix; the LaTeX label is ``tab:<experiment>-<name>``.
    caption : str
        A sentence or two that make the table readable by itself: what, unit, spread, number of runs.
    header : list of str
        One text a column.
    rows : list of lists
        `str` for a label, `Cell` for a number.
    labels : int
        How many columns on the left are labels.
    numbers : DataFrame
        The same numbers unrounded, one row a cell, for the csv.
    notes : list of str
        Sentences under the table.
    paragraphs : dict of int to float
        Columns of running text, with their width in LaTeX as a share of the line.
    """

    name: str
    caption: str
    header: list[str]
    rows: list[list[str | Cell]]
    labels: int
    numbers: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    paragraphs: dict[int, float] = field(default_factory=dict)

    def markdown(self) -> str:
        body = [[part.markdown() if isinstance(part, Cell) else part for part in row] for row in self.rows]
        align = ["left"] * self.labels + ["right"] * (len(self.header) - self.labels)
        grid = tabulate(body, self.header, tablefmt="github", colalign=align, disable_numparse=True)
        return "\n\n".join([self.caption, grid, *self.notes]) + "\n"

    def latex(self, experiment: str) -> str:
        """A table environment that needs the package booktabs only."""
        letters = ["l"] * self.labels + ["r"] * (len(self.header) - self.labels)
        for place, share in self.paragraphs.items():
            letters[place] = rf"p{{{share:g}\linewidth}}"
        columns = "".join(letters)
        body = [
            " & ".join(part.latex() if isinstance(part, Cell) else part.translate(LATEX) for part in row) + r" \\"
            for row in self.rows
        ]
        # A wide table takes both columns of a two-column paper; in one column the two environments are the same.
        environment = "table*" if len(self.header) > 4 else "table"
        return "\n".join(
            [
                rf"\begin{{{environment}}}",
                r"  \centering",
                rf"  \caption{{{' '.join([self.caption, *self.notes]).translate(LATEX)}}}",
                rf"  \label{{tab:{experiment}-{self.name}}}",
                rf"  \begin{{tabular}}{{{columns}}}",
                r"    \toprule",
                "    " + " & ".join(title.translate(LATEX) for title in self.header) + r" \\",
                r"    \midrule",
                *(f"    {line}" for line in body),
                r"    \bottomrule",
                r"  \end{tabular}",
                rf"\end{{{environment}}}",
                "",
            ]
        )

    def write(self, folder: Path, experiment: str) -> None:
        """Write ``<name>.tex``, ``.md`` and ``.csv`` into `folder`."""
        write_text(folder / f"{self.name}.tex", self.latex(experiment))
        write_text(folder / f"{self.name}.md", self.markdown())
        with atomic(folder / f"{self.name}.csv") as temporary:
            self.numbers.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
