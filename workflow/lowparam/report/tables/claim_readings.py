"""Other tests of the claims: readings, accountings and controls."""

from lowparam.claims.finding import NOT_TESTED
from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.report.tables._verdict_rows import PARAGRAPHS, header, notes, row
from lowparam.report.verdicts.view import view

CAPTION = (
    "Readings, accountings and controls that accompany the primary tests, judged on {experiment}: 95 % intervals; p "
    "after Holm's correction over the readings of a claim; n counts seeds."
)
OF = "verdicts"
ORDER = 2


def make(context: Context) -> Table:
    """Tabulate the tests that are not primary and have runs."""
    judged = context.verdicts.rows
    tests = [
        (claim.claim.id, test)
        for claim in view(judged, context.registry)
        for test in claim.tests
        if test.is_tested and not test.test.primary
    ]
    shown = [test for _, test in tests]
    return Table(
        header=["claim", "test", *header(shown)],
        rows=[[claim, test.test.about, *row(test, shown)] for claim, test in tests],
        labels=3,
        numbers=judged[judged["primary"].eq(False) & judged["verdict"].ne(NOT_TESTED)],
        notes=notes(tests),
        paragraphs=PARAGRAPHS,
    )
