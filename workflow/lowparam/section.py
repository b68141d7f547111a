"""The base class of every section of params.yaml."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Section", "Seed"]

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""A seed that every library takes: NumPy and scikit-learn stop at 32 bits, torch at 64."""


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, text is not taken for a number, and numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers_fit(cls, values: Any) -> Any:
        for key, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, int) and abs(value) >= 2**63:
                raise ValueError(f"{key} must fit into 64 bits, which {value} does not")
        return values
