"""What an experiment reports: names of tables and figures. Light, as the workflow reads it at every start."""

from lowparam.params import Experiment

__all__ = [
    "CLAIM_TABLES",
    "FIGURE_SUFFIXES",
    "STAR_FIGURES",
    "STAR_TABLES",
    "TABLE_SUFFIXES",
    "TOY_FIGURES",
    "TOY_TABLES",
    "claim_figures",
    "figures",
    "joined_by",
    "profile_name",
    "tables",
    "with_activation",
]

TABLE_SUFFIXES = ("tex", "md", "csv")
FIGURE_SUFFIXES = ("pdf", "png")

# Of `results/toy`, on which the measures of interference are calibrated.
TOY_TABLES = ("shapes", "sweep", "absolute")
TOY_FIGURES = ("grams", "geometry", "phase")

# Of `results/star`, which belongs to no experiment.
STAR_TABLES = ("dimension", "growth", "moons")
STAR_FIGURES = ("dimension", "moons_boundaries", "moons_placement")

# Of everything that claims are judged on.
CLAIM_TABLES = ("claims", "claim_readings")


def tables(experiment: Experiment) -> list[str]:
    """Names of the tables; the SoLU gap needs the architecture's own activation and another to compare."""
    names = ["accuracy", "interference", *(["solu_gap"] if has_gap(experiment) else [])]
    if len(experiment.seeds) > 1:
        names.append("reliability")
    operators = {joined_by(name) for name in experiment.architectures} - {None}
    if any((family, "sum") in operators for family, operator in operators if operator == "star"):
        names.append("star_gap")
    if any(with_activation(name) in experiment.architectures for name in experiment.architectures):
        names.append("star_activation")
    return names


def figures(experiment: Experiment) -> list[str]:
    """Names of the figures: those of the tables that are about networks, and a profile of each architecture."""
    about_networks = [name for name in tables(experiment) if name in ("accuracy", "interference", "solu_gap")]
    return [*about_networks, *(profile_name(architecture) for architecture in experiment.architectures)]


def profile_name(architecture: str) -> str:
    """Name of the figure with the profile of an architecture, block by block."""
    return f"profile_{architecture.replace(':', '.')}"


def joined_by(architecture: str) -> tuple[str, str] | None:
    """How an architecture joins its branches: its name without the operator, and ``star`` or ``sum``; None if not."""
    for operator in ("sum", "star"):
        if f"_{operator}" in architecture:
            return architecture.replace(f"_{operator}", "", 1), operator
    return (architecture, "star") if architecture.startswith("starnet") else None


def with_activation(architecture: str) -> str | None:
    """The architecture that one without activations was made from; None if it has them."""
    return architecture.replace("_noact", "", 1) if "_noact" in architecture else None


def claim_figures(experiment: Experiment | None) -> list[str]:
    """Names of the figures behind the verdicts; None is for `results/star`, which has no networks to draw."""
    if experiment is None:
        return ["claims"]
    curves = experiment.mode == "controlled" and "base" in experiment.activations
    return ["claims", "dose_response", *(["interference_accuracy", "scaling"] if curves else [])]


def has_gap(experiment: Experiment) -> bool:
    """Whether the experiment trains the same scale with and without a probe."""
    return "base" in experiment.activations and len(experiment.activations) > 1
