"""The claims of workflow/claims as typed objects: one file per paper, found by itself, written before the runs."""

import operator
from collections.abc import Callable, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, model_validator

from lowparam.claims import kinds
from lowparam.claims.availability import CLAIMS
from lowparam.claims.base import ClaimTest
from lowparam.errors import LowparamError
from lowparam.files import as_written, read_text, read_yaml
from lowparam.params.messages import describe
from lowparam.section import Section

__all__ = ["CLAIMS", "Claim", "Paper", "Registry", "load_registry"]

if TYPE_CHECKING:
    AnyTest = ClaimTest
else:  # the union of all kinds that have a file, which a type checker cannot see
    AnyTest = Annotated[reduce(operator.or_, map(kinds.find, kinds.names())), Field(discriminator="kind")]


class Paper(Section):
    """Name a paper whose claims are tested."""

    title: str = Field(description="title of the paper")
    reference: str = Field(description="authors, year, identifier")


class Claim(Section):
    """Hold a statement of a paper, the prediction that follows from it, and the tests of the prediction."""

    id: str = Field(pattern=r"^C\d+$", description="C and a number")
    statement: str = Field(min_length=10, description="the claim in our words")
    source: str = Field(description="where in the paper it is")
    prediction: str = Field("", description="what should be observed if the claim is right")
    question: bool = Field(False, description="an open question of the paper, or ours; not counted in the correction")
    tests: list[AnyTest] = Field([], description="one primary test, and others that explain it")
    without_test: str = Field("", description="why there is no test")

    @model_validator(mode="after")
    def _one_primary(self) -> "Claim":
        if bool(self.tests) == bool(self.without_test):
            raise ValueError("needs either tests or without_test, the reason why there are none")
        if self.tests and not self.prediction:
            raise ValueError("prediction is missing")
        if self.tests and sum(test.primary for test in self.tests) != 1:
            raise ValueError("exactly one of the tests must be primary")
        twice = _repeated([test.id for test in self.tests])
        if twice:
            raise ValueError(f"tests name {twice!r} twice")
        return self


class PaperClaims(Section):
    """Describe a file of workflow/claims."""

    paper: Paper = Field(description="the paper")
    claims: list[Claim] = Field(min_length=1, description="its claims")


class Registry:
    """Hold all claims of all papers.

    Parameters
    ----------
    papers : dict of str to PaperClaims
        By the name of the file.

    Attributes
    ----------
    papers : dict of str to Paper
        By the name of the file.
    claims : list of Claim
        In the order of their numbers.
    """

    def __init__(self, papers: dict[str, PaperClaims]) -> None:
        self.papers = {name: paper.paper for name, paper in papers.items()}
        self._paper = {claim.id: name for name, paper in papers.items() for claim in paper.claims}
        every = [claim for paper in papers.values() for claim in paper.claims]
        self.claims = sorted(every, key=lambda claim: int(claim.id[1:]))

    def paper_of(self, claim: Claim) -> str:
        """Return the name of the paper that makes a claim."""
        return self._paper[claim.id]

    def tests(self) -> dict[tuple[str, str], ClaimTest]:
        """Return all tests by the ids of claim and test."""
        return {(claim.id, test.id): test for claim in self.claims for test in claim.tests}

    def only(self, claim: str) -> "Registry":
        """Return a registry of all papers with a single claim."""
        other = Registry({})
        other.papers, other._paper = self.papers, self._paper
        other.claims = [candidate for candidate in self.claims if candidate.id == claim]
        return other


def load_registry(folder: Path | str = CLAIMS) -> Registry:
    """Read and check the claims of all papers.

    Raises
    ------
    LowparamError
        In one line: the file, the key, what is wrong with it, and what would be right.
    """
    files = sorted(Path(folder).glob("*.yaml"))
    if not files:
        raise LowparamError(f"{folder} does not exist or has no claims; it comes with lowparam")
    papers = {path.stem: _read(path) for path in files}
    twice = _repeated([claim.id for paper in papers.values() for claim in paper.claims])
    if twice:
        holders = [f"{name}.yaml" for name, paper in papers.items() if any(c.id == twice for c in paper.claims)]
        raise LowparamError(f"claims name {twice!r} twice, in {' and '.join(holders)}; give one a new number")
    return Registry(papers)


def _read(path: Path) -> PaperClaims:
    values = read_yaml(path, missing="it comes with lowparam")
    try:
        return PaperClaims.model_validate(values)
    except ValidationError as error:
        text = read_text(path, missing="")
        raise LowparamError(f"{path.name}: {_first(error, values, partial(as_written, text))}") from error


def _repeated(ids: list[str]) -> str | None:
    return next((name for name in ids if ids.count(name) > 1), None)


def _first(error: ValidationError, values: Any, written: Callable[[Sequence[str], Any], str | None]) -> str:
    """Return the first problem in one line, with the id of the claim in place of its position."""
    problem = error.errors()[0]
    place = [str(part) for part in problem["loc"]]
    if len(place) > 1 and place[0] == "claims":
        place = place[1:]
        claim = values["claims"][int(place[0])]
        place[0] = str(claim["id"]) if isinstance(claim, dict) and "id" in claim else f"claims.{place[0]}"
    return describe({**problem, "loc": place}, (), written)
