"""Every claim with the verdict of its primary test."""

from lowparam.claims.finding import NOT_TESTED
from lowparam.report.context import Context
from lowparam.report.table_format import Table
from lowparam.report.tables._verdict_rows import PARAGRAPHS, header, notes, row
from lowparam.report.verdicts.view import view

CAPTION = (
    "The papers' claims, judged on {experiment}: primary test of each claim with its 95 % interval; p after Holm's "
    "correction over the claims of a paper; n counts seeds. These verdicts apply to {experiment} only."
)
OF = "verdicts"
ORDER = 1
ON_PAGE = False


def make(context: Context) -> Table:
    """Tabulate the claims that have runs, and name the others in a note."""
    judged = context.verdicts.rows
    claims = view(judged, context.registry)
    tests = [(c.claim, c.primary) for c in claims if c.primary and c.verdict != NOT_TESTED]
    shown = [test for _, test in tests]
    rest = [claim.claim.id for claim in claims if claim.verdict == NOT_TESTED]
    return Table(
        header=["claim", "statement", *header(shown)],
        rows=[[claim.id, claim.statement, *row(test, shown)] for claim, test in tests],
        labels=3,
        numbers=judged[judged["primary"].eq(True) | judged["test"].isna()],
        notes=[
            *notes([(claim.id, test) for claim, test in tests]),
            *([f"Not tested on {context.name}: {', '.join(rest)}."] if rest else []),
        ],
        paragraphs=PARAGRAPHS,
    )
