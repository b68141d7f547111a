"""workflow/claims.yaml as typed objects: what the papers claim and how each claim is tested, stated before the runs."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from lowparam.claims.availability import REGISTRY
from lowparam.claims.kinds.crossing import Crossing
from lowparam.claims.kinds.dose import Dose
from lowparam.claims.kinds.equivalence import Equivalence
from lowparam.claims.kinds.exponent import Exponent
from lowparam.claims.kinds.interaction import Interaction
from lowparam.claims.kinds.numerical_rank import NumericalRank
from lowparam.claims.kinds.paired import Paired
from lowparam.claims.kinds.rank import Rank
from lowparam.claims.kinds.slopes import Slopes
from lowparam.errors import LowparamError
from lowparam.files import read_yaml
from lowparam.params import Section

__all__ = ["REGISTRY", "Claim", "Paper", "Registry", "load_registry"]

AnyTest = Annotated[
    Paired | Interaction | Equivalence | Crossing | Exponent | Dose | Rank | Slopes | NumericalRank,
    Field(discriminator="kind"),
]


class Paper(Section):
    """Where claims come from."""

    title: str = Field(description="title of the paper")
    reference: str = Field(description="authors, year, identifier")


class Claim(Section):
    """A statement of a paper, what follows from it, and the tests of that."""

    id: str = Field(pattern=r"^C\d+$", description="C and a number")
    paper: str = Field(description="a name under papers")
    statement: str = Field(min_length=10, description="the claim in our words")
    source: str = Field(description="where it stands")
    prediction: str = Field("", description="what should be seen if it is right")
    question: bool = Field(False, description="the paper asks it and does not claim it; not counted in the correction")
    tests: list[AnyTest] = Field([], description="one primary test, and readings beside it")
    without_test: str = Field("", description="why there is no test")

    @model_validator(mode="after")
    def _one_primary(self) -> "Claim":
        if bool(self.tests) == bool(self.without_test):
            raise ValueError("needs either tests or without_test, the reason why there are none")
        if self.tests and not self.prediction:
            raise ValueError("prediction is missing")
        if self.tests and sum(test.primary for test in self.tests) != 1:
            raise ValueError("exactly one of the tests must be primary")
        ids = [test.id for test in self.tests]
        twice = next((name for name in ids if ids.count(name) > 1), None)
        if twice:
            raise ValueError(f"tests name {twice!r} twice")
        return self


class Registry(Section):
    """The whole of claims.yaml."""

    papers: dict[str, Paper] = Field(min_length=1, description="papers by name")
    claims: list[Claim] = Field(min_length=1, description="in the order of the tables")

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> "Registry":
        ids = [claim.id for claim in self.claims]
        twice = next((name for name in ids if ids.count(name) > 1), None)
        if twice:
            raise ValueError(f"claims name {twice!r} twice")
        for claim in self.claims:
            if claim.paper not in self.papers:
                raise ValueError(
                    f"{claim.id}.paper: {claim.paper!r} is not defined; known are {', '.join(self.papers)}"
                )
        return self


def load_registry(path: Path | str = REGISTRY) -> Registry:
    """Read and check the claims.

    Raises
    ------
    LowparamError
        In one line: the key, what is wrong with it, and what would be right.
    """
    path = Path(path)
    values = read_yaml(path, missing="it comes with lowparam")
    try:
        return Registry.model_validate(values)
    except ValidationError as error:
        raise LowparamError(f"{path.name}: {_first(error, values)}") from error


def _first(error: ValidationError, values: object) -> str:
    """The first finding in one line, with the claim's id in place of its number."""
    finding = error.errors()[0]
    place = [str(part) for part in finding["loc"]]
    if len(place) > 1 and place[0] == "claims":
        place = place[1:]
        claim = values["claims"][int(place[0])]
        place[0] = str(claim["id"]) if isinstance(claim, dict) and "id" in claim else f"claims.{place[0]}"
    key = ".".join(place)
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "extra_forbidden":
        return f"{key} is not a known key"
    if finding["type"] == "missing":
        return f"{key} is missing"
    if finding["type"] in ("value_error", "union_tag_invalid", "union_tag_not_found"):
        return f"{key}: {message}" if key else message
    return f"{key}: {message[0].lower()}{message[1:]}, not {finding['input']!r}"
