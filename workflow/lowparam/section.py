"""The base class of every section of params.yaml."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Section"]


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, and text is not taken for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
