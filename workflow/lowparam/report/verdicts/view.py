"""The verdicts as printed: every claim with its tests, whose numbers are formatted once for all forms."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lowparam import paths
from lowparam.claims.base import ClaimTest
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE, NOT_TESTED, SUPPORTED
from lowparam.claims.registry import Claim, Registry
from lowparam.errors import LowparamError
from lowparam.report.formats import format_number, format_p

__all__ = ["VERDICTS", "ClaimVerdict", "TestVerdict", "count_verdicts", "current", "view"]

VERDICTS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE, NOT_TESTED)


@dataclass(frozen=True)
class TestVerdict:
    """A test with its numbers as printed; those of a test that was not made are dashes.

    Parameters
    ----------
    test : ClaimTest
        The test as in workflow/claims.
    row : namedtuple
        Its row of claims.csv, for the numbers themselves.
    verdict : str
        One of `VERDICTS`.
    estimate, low, high : str
        The effect and the ends of its 95 % interval, without unit.
    unit : str
        Unit of the effect.
    p : str
        p-value after correction.
    n, replicates : str
        How many replicates, and what they are.
    paper : str
        The paper's own value; empty if it gives none.
    reason : str
        Why there is no verdict, or what else to know.
    command : str
        The command that makes the runs.
    """

    __test__ = False  # not a test of pytest

    test: ClaimTest
    row: Any
    verdict: str
    estimate: str
    low: str
    high: str
    unit: str
    p: str
    n: str
    replicates: str
    paper: str
    reason: str
    command: str

    @classmethod
    def read(cls, test: ClaimTest, row: Any) -> "TestVerdict":
        """Format a row of claims.csv, as `DataFrame.itertuples` gives it."""
        made = pd.notna(row.estimate) or pd.notna(row.p)
        return cls(
            test=test,
            row=row,
            verdict=row.verdict,
            estimate=format_number(row.estimate, row.unit) if made else "–",
            low=format_number(row.low, row.unit) if made else "–",
            high=format_number(row.high, row.unit) if made else "–",
            unit=row.unit if made else "",
            p=format_p(row.p_holm),
            n=f"{row.n:.0f}" if made else "–",
            replicates=row.replicates if made else "",
            paper="" if pd.isna(row.paper_value) else f"{row.paper_value:g}".replace("-", "−"),
            reason=row.reason if isinstance(row.reason, str) else "",
            command=row.command,
        )

    @property
    def is_tested(self) -> bool:
        """Whether there were runs to judge."""
        return self.verdict != NOT_TESTED

    @property
    def interval(self) -> str:
        """Both ends of the interval."""
        return "–" if self.low == "–" else f"{self.low} to {self.high}"

    @property
    def marked(self) -> str:
        """The verdict, with † if a measure was compared between arms that were trained at different rates."""
        rates = getattr(self.row, "rates", "")  # older tables have no such column
        return f"{self.verdict}†" if isinstance(rates, str) and rates else self.verdict

    @property
    def shown(self) -> str:
        """Which of several comparisons the estimate is of; empty if there is one."""
        shown = getattr(self.row, "shown", "")
        return shown if isinstance(shown, str) else ""

    @property
    def counts_seeds(self) -> bool:
        """Whether n counts seeds, as it does for most tests."""
        return self.replicates in ("", "seeds")


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim with its tests.

    Parameters
    ----------
    claim : Claim
        The claim as in workflow/claims.
    reference : str
        The paper.
    tests : list of TestVerdict
        In the order of workflow/claims; empty if the claim has no test.
    """

    claim: Claim
    reference: str
    tests: list[TestVerdict]

    @property
    def primary(self) -> TestVerdict | None:
        """The test that the claim is judged by."""
        return next((test for test in self.tests if test.test.primary), None)

    @property
    def verdict(self) -> str:
        """The verdict of the primary test."""
        return self.primary.verdict if self.primary else NOT_TESTED

    @property
    def figures(self) -> list[str]:
        """Names of the figures that show the tests that have runs."""
        return list(dict.fromkeys(test.test.shown_in for test in self.tests if test.is_tested))


def current(judged: pd.DataFrame, registry: Registry) -> pd.DataFrame:
    """Return the rows of tests that the registry has; pages over several experiments leave older ones out."""
    tests = registry.tests()
    known = [pd.isna(row.test) or (row.claim, row.test) in tests for row in judged.itertuples()]
    return judged[known]


def view(judged: pd.DataFrame, registry: Registry) -> list[ClaimVerdict]:
    """Arrange the rows of claims.csv of one experiment by claim.

    Parameters
    ----------
    judged : DataFrame
        `lowparam.claims.judge.COLUMNS`.
    registry : Registry
        The claims that were judged.

    Raises
    ------
    LowparamError
        If the rows are of tests that the registry does not have.
    """
    tests = registry.tests()
    by_claim: dict[str, list[TestVerdict]] = {}
    for row in judged[judged["test"].notna()].itertuples():
        if (row.claim, row.test) not in tests:
            raise LowparamError(
                f"{paths.claims(row.experiment)} has the test {row.claim} {row.test}, which workflow/claims does not "
                f"have; run lowparam claims {row.experiment}"
            )
        by_claim.setdefault(row.claim, []).append(TestVerdict.read(tests[row.claim, row.test], row))
    return [
        ClaimVerdict(claim, registry.papers[registry.paper_of(claim)].reference, by_claim.get(claim.id, []))
        for claim in registry.claims
    ]


def count_verdicts(claims: list[ClaimVerdict], *, with_tests: bool = False) -> dict[str, int]:
    """Count the claims of each verdict, all or only those that have a test, in the order of `VERDICTS`."""
    counts = Counter(claim.verdict for claim in claims if claim.tests or not with_tests)
    return {word: counts[word] for word in VERDICTS}
