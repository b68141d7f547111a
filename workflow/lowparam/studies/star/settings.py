"""Settings of the study, under `studies.star` in params.yaml."""

from typing import Annotated

from pydantic import Field, model_validator

from lowparam.section import Section, Seed

__all__ = ["Settings"]

Placement = Annotated[str, Field(pattern=r"^[S+]{4}$")]


class Settings(Section):
    """What to count of star layers, and which networks to train on the two moons."""

    dimensions: int = Field(24, ge=2, le=64, description="largest number of channels whose dimensions are counted")
    layers: int = Field(3, ge=1, le=4, description="most star layers on top of each other")
    growth_limit: int = Field(1300, ge=10, le=5000, description="stacks of more dimensions are left out, to save time")
    placements: list[Placement] = Field(
        ["++++", "S+++", "SS++", "SSS+", "SSSS", "+SSS", "++SS", "+++S"],
        min_length=1,
        description="networks for the moons: S for star and + for sum, one sign for each block",
    )
    seeds: list[Seed] = Field(list(range(10)), min_length=2, description="runs on the moons")
    grid_step: float = Field(
        0.02, ge=0.01, le=0.5, description="distance between grid points, for comparing boundaries"
    )
    fresh_points: int = Field(10_000, ge=100, description="new points of the moons, on which accuracy is measured too")

    @model_validator(mode="after")
    def _both_operators_are_there(self) -> "Settings":
        missing = [placement for placement in ("++++", "SSSS") if placement not in self.placements]
        if missing:
            raise ValueError(f"placements must name {missing[0]!r}: star and sum alone are what is compared")
        return self
