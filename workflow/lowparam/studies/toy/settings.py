"""Settings of the study, under `studies.toy` in params.yaml."""

from typing import Annotated

from pydantic import Field

from lowparam.section import Section, Seed

__all__ = ["Settings"]


class Settings(Section):
    """Sizes, densities and training of the toy models."""

    features: int = Field(80, ge=2, description="features of the models that go from dense to sparse")
    dimensions: int = Field(8, ge=1, description="dimensions that these features share")
    densities: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015],
        min_length=2,
        description="probabilities that such a feature is not zero",
    )
    absolute_densities: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.5, 0.1, 0.03], min_length=1, description="the same for models that compute absolute values"
    )
    seeds: list[Seed] = Field([0, 1, 2], min_length=1, description="models at each density")
    phase_cells: int = Field(12, ge=2, description="number of cells of the phase diagram on each axis")
    restarts: int = Field(10, ge=1, description="models of which the best is kept, where there are bad minima")
    steps: int = Field(2500, ge=100, description="training steps of a model")
