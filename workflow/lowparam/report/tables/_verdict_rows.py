"""Columns and notes that the tables of verdicts share."""

from lowparam.report.verdicts.view import TestVerdict

__all__ = ["PARAGRAPHS", "header", "notes", "row"]

COLUMNS = ["verdict", "estimate", "low", "high", "unit", "p", "n", "paper"]
PARAGRAPHS = {1: 0.32, 6: 0.12}
"""Columns of running text (statement and unit), with their width as a share of the line."""


def header(tests: list[TestVerdict]) -> list[str]:
    """Return the columns of a table of tests; the papers' values only if there are some."""
    return COLUMNS if any(test.paper for test in tests) else COLUMNS[:-1]


def row(test: TestVerdict, tests: list[TestVerdict]) -> list[str]:
    """Return a test in these columns."""
    n = test.n + ("" if test.counts_seeds else "†")
    cells = [test.verdict, test.estimate, test.low, test.high, test.unit, test.p, n, test.paper]
    return cells[: len(header(tests))]


def notes(tests: list[tuple[str, TestVerdict]]) -> list[str]:
    """Explain what n counts, and where the papers' values are from; `tests` are given with their claims."""
    others = list(dict.fromkeys(test.replicates for _, test in tests if not test.counts_seeds))
    lines = [f"† n counts {' or '.join(others)}."] if others else []
    places = [f"{claim} {t.test.id.replace('_', ' ')}: {t.test.paper_where}" for claim, t in tests if t.paper]
    return [*lines, *([f"Where the papers' values are from: {'; '.join(places)}."] if places else [])]
