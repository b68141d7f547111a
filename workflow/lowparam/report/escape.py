"""Escape text for the programs that set it: LaTeX, matplotlib and Markdown.

Names of classes are those of somebody's folders, and names of variants and captions may contain anything, so all text
passes through here before another program reads it. HTML has its own library (markupsafe).
"""

import unicodedata

__all__ = ["class_name", "has_glyphs", "latex", "markdown", "mathtext", "one_line"]

# Characters that LaTeX would read as commands, and those beyond ASCII that our texts use.
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "~": r"\textasciitilde{}",
    "^": r"\^{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "′": r"$'$",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "²": "$^2$",
    "¹": "$^1$",
    "³": "$^3$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "√": r"$\surd$",
    "∞": r"$\infty$",
    "χ": r"$\chi$",
    "ρ": r"$\rho$",
    "°": r"$^\circ$",
}
AS_IT_IS = "–—‘’“”…ßæøåœÆØÅŒłŁ"
"""What else LaTeX sets without a package."""
ACCENTS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c"
"""From grave to caron: the accents that LaTeX puts on a letter of ASCII."""
LONGEST_NAME = 14
"""Letters of the name of a class that figures show; more would take the space of the panels."""


def one_line(text: str) -> str:
    """Replace line breaks and other control characters, which a name of a folder may have, with spaces."""
    return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)


def latex(text: str) -> str:
    """Return text that LaTeX sets as it is written; a letter that its fonts lack becomes its number, such as U+732B."""
    return "".join(map(_latex_letter, one_line(text)))


def markdown(text: str) -> str:
    """Return the text of a cell of a Markdown table: a bar would begin the next cell."""
    return one_line(text).replace("|", r"\|")


def mathtext(text: str, most: int | None = None) -> str:
    """Return text that matplotlib draws as it is written, cut after `most` letters.

    Two dollar signs would make a formula of what is between them, and stop the drawing if it is none.
    """
    text = one_line(text)
    if most is not None and len(text) > most:
        text = text[: most - 1] + "…"
    return text.replace("$", r"\$")


def has_glyphs(text: str) -> bool:
    """Whether the font of the figures can write a text; it draws the same empty box for every letter that it lacks."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return all(font.get_char_index(ord(letter)) for letter in one_line(text))


def class_name(name: str, number: int) -> str:
    """Return what figures call a class: the start of its name, or its number if their font lacks one of the letters."""
    return mathtext(name, LONGEST_NAME) if has_glyphs(name) else str(number)


def _latex_letter(letter: str) -> str:
    known = LATEX.get(letter)
    if known is not None or letter.isascii() or letter in AS_IT_IS:
        return letter if known is None else known
    base, *accents = unicodedata.normalize("NFD", letter)
    sets = base.isascii() and len(accents) == 1 and accents[0] in ACCENTS and ord(letter) < 0x180
    return letter if sets else f"U+{ord(letter):04X}"
