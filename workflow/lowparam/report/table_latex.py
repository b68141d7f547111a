r"""Set a table in LaTeX so that it fits the page.

The width of every column is estimated from its letters (`text_width`). A table is then set as follows, each step only
if the one before leaves it too wide (`arrange`):

1. In one column of a two-column paper, if it fits there; else over the width of the text, which `TEXT` assumes.
2. In ``\footnotesize`` with columns closer together.
3. Long titles of number columns take two lines, and columns of text wrap, the widest first.
4. The number columns are divided among several tables, each with all labels.

Rows that do not fit on a page are continued in another table. The first line of the file is a comment that names the
packages that it needs.
"""

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lowparam.report.escape import latex
from lowparam.report.formats import Cell

__all__ = ["TEXT", "Arrangement", "Column", "arrange", "column", "environments", "text_width"]

COLUMN, TEXT = 240.0, 469.0
"""Points that a table may take: one column of a two-column paper, and the text (A4 with margins of 2.2 cm)."""
SMALL = 0.86  # width of a letter in footnotesize, relative to 10 points
GAPS = {False: 12.0, True: 6.0}  # points between two columns, in normal and in small print
LEAST = 45.0  # points of a column of text
UNBROKEN = 16  # letters; longer pieces of a text get places to break
LINES = 36  # that fit on a page with the caption; a row of running text takes as many as its longest cell
RAGGED = 1.15  # words do not fill a line: so many more lines than letters alone would take
# A number as our tables print it, in the parts that siunitx aligns.
NUMBER = re.compile(
    r"(?P<relation>[<≤] )?(?P<sign>−)?(?P<whole>[\d ]+)(?P<part>\.\d+)?( ± (?P<spread>\d+(\.\d+)?))?(?P<mark>[†‡*]*)"
)
RELATIONS = {"< ": "<", "≤ ": r"\le "}
EMPTY = ("", "–", "∞", "−∞", "not run")
SIUNITX = (
    r"\sisetup{uncertainty-mode=separate, retain-zero-uncertainty, table-align-text-after=false, "
    "reset-text-series=false, text-series-to-math, reset-math-version=false}"
)
DIGIT, POINT, SIGN, SPREAD, BEFORE = 5.0, 2.8, 12.3, 13.0, 12.3  # points, at 10 points
WIDTHS = {"mMwW%&@…": 9.2, "ijlI.,:;'|!()[]/ -f": 3.9, "rst–": 4.4, "±×−+=<>≤≥": 12.3}
OTHERS = {True: 7.6, False: 5.6}  # capitals, and all other letters


def text_width(text: str) -> float:
    """Estimate the width of a text in points, in 10 point Computer Modern; rather too much than too little."""
    known = {letter: width for letters, width in WIDTHS.items() for letter in letters}
    return sum(known.get(letter, OTHERS[letter.isupper()]) for letter in text)


@dataclass(frozen=True)
class Column:
    """A column in LaTeX.

    Parameters
    ----------
    kind : str
        Its type: ``l``, ``r`` or one of siunitx.
    title : str
        Unescaped.
    cells : list of str
        As LaTeX.
    texts : list of str
        As they are read, for columns that wrap.
    width : float
        Of the widest cell, in points at 10 points.
    is_text : bool
        Whether it may wrap.
    is_label : bool
        Whether it is one of the labels on the left, which every part of a divided table has.
    share : float, optional
        Width as a share of the line, for a column of running text.
    """

    kind: str
    title: str
    cells: list[str]
    texts: list[str]
    width: float
    is_text: bool
    is_label: bool = False
    share: float | None = None

    @property
    def least(self) -> float:
        """The width below which a column of text cannot be broken."""
        pieces = (piece for text in (self.title, *self.texts) for piece in _pieces(text))
        return max([LEAST, *(text_width(piece) for piece in pieces)])

    @property
    def full(self) -> float:
        """The width with the title in one line."""
        return max(self.width, text_width(self.title))

    @property
    def stacked(self) -> float:
        """The width with the title in two lines."""
        return max([self.width, *(text_width(line) for line in _halves(self.title))])


@dataclass(frozen=True)
class Arrangement:
    """How a table is set; the steps are in the docstring of this file.

    Parameters
    ----------
    over_both : bool
        Over both columns of a two-column paper.
    small : bool
        In footnotesize.
    stacked : bool
        Titles of number columns in two lines.
    shares : dict of int to float
        Columns that wrap, with their widths as a share of the line.
    groups : list of list of int
        The columns of each table.
    width : float
        Estimate of the widest of them, in points.
    """

    over_both: bool
    small: bool
    stacked: bool
    shares: dict[int, float]
    groups: list[list[int]]
    width: float


def column(title: str, parts: Sequence[str | Cell], *, label: bool, share: float | None = None) -> Column:
    """Make a column: numbers are aligned by siunitx at their points; a column with any other text is one of text."""
    texts = [part.plain() if isinstance(part, Cell) else part for part in parts]
    found = [None if text in EMPTY else NUMBER.fullmatch(text) for text in texts]
    numbers = [match for match in found if match]
    if not numbers or any(match is None and text not in EMPTY for match, text in zip(found, texts, strict=True)):
        kind = "l" if label else "r"
        width = max(map(text_width, texts), default=0.0)
        return Column(kind, title, [latex(text) for text in texts], texts, width, True, label, share)
    whole = max(len(match["whole"].replace(" ", "")) for match in numbers)
    part = max(len(match["part"] or "") - 1 for match in numbers)
    spread = max(len(match["spread"].replace(".", "").lstrip("0")) or 1 if match["spread"] else 0 for match in numbers)
    relation = RELATIONS.get(next((match["relation"] for match in numbers if match["relation"]), ""), "")
    sign = any(match["sign"] for match in numbers)
    shape = f"{relation}{'-' * sign}{whole}.{max(part, 0)}" + (f"({spread})" if spread else "")
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
    mark = max((match["mark"] for match in numbers), key=len)
    if mark:  # else it would reach into the next column
        shape += f", table-space-text-post={{{latex(mark)}}}"
    bold_too = 1.15 if any(isinstance(cell, Cell) and cell.best for cell in parts) else 1.0
    digits = whole + max(part, 0) + max(spread, part + 1 if spread else 0)
    width = DIGIT * digits * bold_too + POINT * ((part > 0) * (1 + bool(spread))) + SPREAD * bool(spread)
    width += SIGN * sign + BEFORE * bool(relation) + 5 * len(mark)
    others = [text_width(text) for text, match in zip(texts, found, strict=True) if match is None]
    return Column(f"S[table-format={shape}]", title, cells, texts, max([width, *others]), False, label)


def arrange(columns: Sequence[Column]) -> Arrangement:
    """Choose how a table is set, by the steps in the docstring of this file."""
    every = list(range(len(columns)))
    running = {place: each.share for place, each in enumerate(columns) if each.share}

    def total(
        *, small: bool, stacked: bool = False, widths: dict[int, float] | None = None, of: Sequence[int]
    ) -> float:
        given = {place: share * TEXT for place, share in running.items()} | (widths or {})
        size = SMALL if small else 1.0
        one = lambda each: size * (each.stacked if stacked and not each.is_text else each.full)  # noqa: E731
        return sum(given.get(place, one(columns[place])) for place in of) + GAPS[small] * len(of)

    for over_both, small in ((False, False), (True, False), (True, True)):
        width = total(small=small, of=every)
        if width <= (TEXT if over_both else COLUMN) and not (running and not over_both):
            return Arrangement(over_both, small, False, running, [every], width)
    texts = [place for place in every if columns[place].is_text]
    wanted = {
        place: min(SMALL * columns[place].full, running.get(place, 1.0) * TEXT)
        if place in running
        else SMALL * columns[place].full
        for place in texts
    }
    least = {place: min(wanted[place], SMALL * columns[place].least) for place in texts}
    numbers = [place for place in every if place not in texts]
    taken = total(small=True, stacked=True, of=numbers) + GAPS[True] * len(texts)
    room = TEXT - taken
    groups = [every]
    always = [place for place in every if columns[place].is_label or place in texts]
    if room < sum(least.values()):
        fixed = total(small=True, stacked=True, of=[place for place in always if place not in texts])
        room = max(sum(least.values()), min(TEXT / 2, sum(wanted.values())))
        left = TEXT - room - fixed - GAPS[True] * len(texts)
        parts = _fill([k for k in every if k not in always], left, lambda of: total(small=True, stacked=True, of=of))
        groups = [sorted([*always, *part]) for part in parts] or [every]
    widths = _shrink(wanted, least, room)
    shares = {
        place: width / TEXT for place, width in widths.items() if place in running or width < wanted[place] - 0.01
    }
    width = max(total(small=True, stacked=True, widths=widths, of=group) for group in groups)
    return Arrangement(True, True, True, shares, groups, width)


def _shrink(wanted: dict[int, float], least: dict[int, float], room: float) -> dict[int, float]:
    """Make the widest narrower, to one common width, until all fit into the room; none below its least."""
    widths = dict(wanted)
    for cap in sorted({*wanted.values(), *least.values()}, reverse=True):
        below = {place: min(width, max(cap, least[place])) for place, width in wanted.items()}
        if sum(below.values()) <= room:
            at_cap = [place for place in widths if widths[place] > below[place]]
            spare = (room - sum(below.values())) / len(at_cap) if at_cap else 0.0
            return {p: min(widths[p], below[p] + spare) if p in at_cap else below[p] for p in below}
        widths = below
    return dict(least)


def _fill(places: Sequence[int], room: float, width) -> Iterator[list[int]]:
    """Divide columns into as few groups as fit into the room, one column at least in each."""
    group: list[int] = []
    for place in places:
        if group and width([*group, place]) > room:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def environments(columns: Sequence[Column], caption: str, label: str) -> list[str]:
    """Return the lines of a LaTeX file with the table, or with the tables that it takes."""
    how = arrange(columns)
    count = len(columns[0].cells) if columns else 0
    needs = "% Packages that this table needs: booktabs, siunitx (version 3)" + (", array." if how.shares else ".")
    if not count:
        return [needs, "% There are no rows, so that there is no table.", ""]
    environment = "table*" if how.over_both else "table"
    heights = [max([1, *(_lines(columns[k].texts[row], how.shares[k]) for k in how.shares)]) for row in range(count)]
    lines = [needs]
    for place, (group, page) in enumerate((group, page) for group in how.groups for page in _pages(heights)):
        chosen = [_wrapped(columns[k], how.shares[k]) if k in how.shares else columns[k] for k in group]
        titles = [_title(each, stacked=how.stacked) for each in chosen]
        rows = zip(*(each.cells[page] for each in chosen), strict=True)
        lines += [
            rf"\begin{{{environment}}}",
            r"  \centering",
            *(
                [rf"  \caption{{{caption}}}", rf"  \label{{{label}}}"]
                if place == 0
                else [r"  \addtocounter{table}{-1}", r"  \caption{Continued.}"]
            ),
            rf"  {SIUNITX}",
            *([r"  \footnotesize\setlength{\tabcolsep}{3pt}"] if how.small else []),
            rf"  \begin{{tabular}}{{{' '.join(each.kind for each in chosen)}}}",
            r"    \toprule",
            "    " + " & ".join(titles) + r" \\",
            r"    \midrule",
            *(f"    {' & '.join(row)}" + r" \\" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            rf"\end{{{environment}}}",
            "",
        ]
    return lines


def _lines(text: str, share: float) -> int:
    """Estimate how many lines a text takes in footnotesize, in a column of a share of the line."""
    return math.ceil(RAGGED * SMALL * text_width(text) / (share * TEXT))


def _pages(heights: Sequence[int]) -> Iterator[slice]:
    """Divide rows of so many lines each into pages, one row at least on each."""
    start = taken = 0
    for row, height in enumerate(heights):
        if row > start and taken + height > LINES:
            yield slice(start, row)
            start, taken = row, 0
        taken += height
    yield slice(start, len(heights))


def _wrapped(each: Column, share: float) -> Column:
    share = int(1000 * share) / 1000
    kind = rf">{{\raggedright\arraybackslash}}p{{{share:g}\linewidth}}"
    return replace(each, kind=kind, cells=[_breakable(text) for text in each.texts])


def _title(each: Column, *, stacked: bool) -> str:
    if each.kind in ("l", "r") or each.kind.startswith(">"):
        return latex(each.title)
    halves = _halves(each.title)
    if not stacked or len(halves) == 1 or text_width(each.title) <= each.width:
        return f"{{{latex(each.title)}}}"
    return r"{\begin{tabular}{@{}c@{}}" + r"\\".join(map(latex, halves)) + r"\end{tabular}}"


def _halves(title: str) -> list[str]:
    """Break a title where its two lines are shortest."""
    words = title.split(" ")
    broken = [[" ".join(words[:k]), " ".join(words[k:])] for k in range(1, len(words))]
    return min(broken, key=lambda lines: max(map(text_width, lines)), default=[title])


def _pieces(text: str) -> list[str]:
    """Divide a text where a line may end: after spaces, and in long words after slashes and the like, or anywhere."""
    pieces = []
    for word in re.findall(r"[^ ]* *", text):
        if len(word) <= UNBROKEN:
            pieces.append(word)
            continue
        for part in re.findall(r"[^/_\-+@,:]*[/_\-+@,:]* *", word):
            pieces += textwrap.wrap(part, UNBROKEN, drop_whitespace=False)
    return [piece for piece in pieces if piece] or [""]


def _breakable(text: str) -> str:
    pieces = _pieces(text)
    joints = ["" if one.endswith(" ") else r"\allowbreak{}" for one, _ in pairwise(pieces)]
    return "".join(latex(piece) + joint for piece, joint in zip(pieces, [*joints, ""], strict=True))
