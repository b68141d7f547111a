"""Joint test: whether several predictions hold together, of different outcomes, networks or probes."""

from dataclasses import replace
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field, model_validator

from lowparam.claims.base import ClaimTest
from lowparam.claims.finding import Finding
from lowparam.claims.kinds.dose import Dose
from lowparam.claims.kinds.interaction import Interaction
from lowparam.claims.kinds.paired import Paired

__all__ = ["Joint"]

QUESTION = "do several predictions hold together?"
DATA = "runs"
NEEDS = ("parts",)
FIGURE = "claims"

INHERITED = ("id", "about", "experiment", "outcome")
"""What a part takes from the test where it does not say it itself."""

Part = Annotated[Paired | Dose | Interaction, Field(discriminator="kind")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class Joint(ClaimTest):
    """Test several predictions, all of which the claim needs, with seeds as the unit.

    It is supported if the weakest part supports it, which needs no correction (intersection-union test), and
    contradicted if one of the parts in `contradicts` is, corrected for their number. The estimate is that of the
    weakest part, or that of the part that speaks most against the claim where the evidence against it is stronger than
    that for it; the note has all of them.
    """

    kind: Literal["joint"]
    parts: dict[Name, Part] = Field(
        min_length=2, description="tests by name; they have the outcome of the whole, or their own"
    )
    contradicts: list[Name] | None = Field(
        None, min_length=1, description="parts whose opposite contradicts the claim; if none, all"
    )

    @model_validator(mode="before")
    @classmethod
    def _parts_are_of_the_test(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("parts"), dict):
            return given
        shared = {key: given[key] for key in INHERITED if key in given}
        parts = {name: {**shared, **part} if isinstance(part, dict) else part for name, part in given["parts"].items()}
        return {**given, "parts": parts}

    @model_validator(mode="after")
    def _contradicts_names_parts(self) -> "Joint":
        unknown = next((name for name in self.contradicts or () if name not in self.parts), None)
        if unknown is not None:
            raise ValueError(f"contradicts names {unknown!r}, which is none of parts: {', '.join(self.parts)}")
        return self

    def find(self, runs: pd.DataFrame) -> Finding:
        found = {name: part.find(runs) for name, part in self.parts.items()}
        deciding = self.contradicts or list(found)
        weakest = max(found, key=lambda name: found[name].p_for)
        worst = min(deciding, key=lambda name: found[name].p_against)
        p_for = found[weakest].p_for
        p_against = min(1.0, len(deciding) * found[worst].p_against)
        name, role = (weakest, "the weakest") if p_for <= p_against else (worst, "the one most against the claim")
        parts = ", ".join(
            f"{_plain(key)} {part.estimate:+.3g} {part.unit} ({part.p_for:.2g})" for key, part in found.items()
        )
        note = f"Each part must hold, one-sided p in brackets: {parts}. Shown is {role}, {_plain(name)}."
        return replace(found[name], p_for=p_for, p_against=p_against, note=f"{note} {found[name].note}".strip())


def _plain(name: str) -> str:
    return name.replace("_", " ")
