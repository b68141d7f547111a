"""What an experiment reports: names of tables and figures. Light, as the workflow reads it at every start."""

from lowparam.params import Experiment

__all__ = ["FIGURE_SUFFIXES", "STAR_FIGURES", "STAR_TABLES", "TABLE_SUFFIXES", "figures", "tables"]

TABLE_SUFFIXES = ("tex", "md", "csv")
FIGURE_SUFFIXES = ("pdf", "png")

# Of `results/star`, which belongs to no experiment.
STAR_TABLES = ("dimension", "growth", "moons")
STAR_FIGURES = ("dimension", "moons_boundaries", "moons_placement")


def tables(experiment: Experiment) -> list[str]:
    """Names of the tables; the SoLU gap needs the architecture's own activation and another to compare."""
    return ["accuracy", "interference", *(["solu_gap"] if has_gap(experiment) else [])]


def figures(experiment: Experiment) -> list[str]:
    """Names of the figures, by the same rule."""
    return tables(experiment)


def has_gap(experiment: Experiment) -> bool:
    """Whether the experiment trains the same scale with and without a probe."""
    return "base" in experiment.activations and len(experiment.activations) > 1
