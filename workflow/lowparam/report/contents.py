"""What an experiment reports: names of tables and figures. Light, as the workflow reads it at every start."""

from lowparam.params import Experiment

__all__ = [
    "CLAIM_TABLES",
    "FIGURE_SUFFIXES",
    "STAR_FIGURES",
    "STAR_TABLES",
    "TABLE_SUFFIXES",
    "claim_figures",
    "figures",
    "tables",
]

TABLE_SUFFIXES = ("tex", "md", "csv")
FIGURE_SUFFIXES = ("pdf", "png")

# Of `results/star`, which belongs to no experiment.
STAR_TABLES = ("dimension", "growth", "moons")
STAR_FIGURES = ("dimension", "moons_boundaries", "moons_placement")

# Of everything that claims are judged on.
CLAIM_TABLES = ("claims", "claim_readings")


def tables(experiment: Experiment) -> list[str]:
    """Names of the tables; the SoLU gap needs the architecture's own activation and another to compare."""
    return ["accuracy", "interference", *(["solu_gap"] if has_gap(experiment) else [])]


def figures(experiment: Experiment) -> list[str]:
    """Names of the figures, by the same rule."""
    return tables(experiment)


def claim_figures(experiment: Experiment | None) -> list[str]:
    """Names of the figures behind the verdicts; None is for `results/star`, which has no networks to draw."""
    curves = experiment is not None and experiment.mode == "controlled" and "base" in experiment.activations
    return ["claims", *(["interference_accuracy", "scaling"] if curves else [])]


def has_gap(experiment: Experiment) -> bool:
    """Whether the experiment trains the same scale with and without a probe."""
    return "base" in experiment.activations and len(experiment.activations) > 1
