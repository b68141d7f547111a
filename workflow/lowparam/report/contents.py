"""What an experiment reports: names of tables and figures. Light, as the workflow reads it at every start."""

from pathlib import Path

from lowparam.claims.planned import arms, planned
from lowparam.params import Experiment
from lowparam.report.published_nets import NETS

__all__ = [
    "CLAIM_FIGURES",
    "CLAIM_TABLES",
    "FIGURE_SUFFIXES",
    "PROFILE_FIGURES",
    "STAR_FIGURES",
    "STAR_TABLES",
    "TABLE_SUFFIXES",
    "TOY_FIGURES",
    "TOY_TABLES",
    "caption",
    "claim_figures",
    "figures",
    "has_bilinear",
    "joined_by",
    "page_figures",
    "page_tables",
    "profile_name",
    "reported",
    "tables",
    "with_activation",
]

TABLE_SUFFIXES = ("tex", "md", "csv")
FIGURE_SUFFIXES = ("pdf", "png")

# Of each architecture of an experiment.
PROFILE_FIGURES = {
    "profile": "r, class cross-talk, log CI and capacity used, block by block",
    "directions": "cosines between the directions of the last projection, beside random ones",
    "spectra": "eigenvalues of the correlations between channels, with the band of independent ones",
    "cross_talk": "what a push towards each class does to each logit",
}

# Of `results/toy`, on which the measures of interference are calibrated.
TOY_TABLES = ("shapes", "sweep", "behaviour", "absolute")
TOY_FIGURES = ("grams", "geometry", "phase")

# Of `results/star`, which belongs to no experiment.
STAR_TABLES = ("dimension", "growth", "moons")
STAR_FIGURES = ("dimension", "moons_boundaries", "moons_placement")

# Of everything that claims are judged on.
CLAIM_TABLES = ("claims", "claim_readings")
# An experiment has those of these that it has runs for.
CLAIM_FIGURES = ("claims", "scaling", "crossing", "interference_accuracy", "ablation", "dose_response")

CAPTIONS = Path(__file__).parents[2] / "report"


def tables(experiment: Experiment) -> list[str]:
    """Names of the tables; the SoLU gap needs the architecture's own activation and another to compare."""
    names = ["accuracy", "interference", *(["solu_gap"] if has_gap(experiment) else [])]
    if experiment.data in NETS and "base" in experiment.activations:
        names.append("published")
    if len(experiment.seeds) > 1:
        names.append("reliability")
    operators = {joined_by(name) for name in experiment.architectures} - {None}
    if any((family, "sum") in operators for family, operator in operators if operator == "star"):
        names.append("star_gap")
    if any(with_activation(name) in experiment.architectures for name in experiment.architectures):
        names.append("star_activation")
    return names


def reported(experiment: Experiment) -> list[str]:
    """Names of the files and folders in `results/<experiment>` that are about all runs together."""
    eigenvectors = ["bilinear.csv", "bilinear_accuracy.csv"] if has_bilinear(experiment) else []
    return ["runs.csv", "metrics.json", "claims.csv", "claims.md", "report.html", *eigenvectors, "tables", "figures"]


def figures(experiment: Experiment) -> list[str]:
    """Names of the figures: those of the tables that are about networks, and the profile of each architecture."""
    about_networks = [name for name in tables(experiment) if name in ("accuracy", "interference", "solu_gap")]
    inside = [profile_name(kind, name) for name in experiment.architectures for kind in PROFILE_FIGURES]
    return [*about_networks, *inside]


def profile_name(kind: str, architecture: str) -> str:
    """Name of a figure about the inside of an architecture."""
    return f"{kind}_{architecture.replace(':', '.')}"


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
    """Names of the figures behind the verdicts that the experiment has runs for; None is for `results/star`."""
    if experiment is None:
        return ["claims"]
    tests = [test for _, test in planned(experiment)]
    kinds = {test["kind"] for test in tests}
    curves = experiment.mode == "controlled" and "base" in experiment.activations and len(experiment.sizes) > 1
    there = {
        "claims": True,
        "ablation": any(_is_ablation(test) for test in tests),
        "crossing": "crossing" in kinds,
        "dose_response": "dose" in kinds,
        "interference_accuracy": bool(kinds & {"rank", "slopes"}),
        "scaling": curves,
    }
    return [name for name in CLAIM_FIGURES if there[name]]


def has_bilinear(experiment: Experiment) -> bool:
    """Whether the experiment has star blocks without activation, which can be decomposed into eigenvectors."""
    return (
        experiment.mode == "controlled"
        and "base" in experiment.activations
        and "demonet_star_noact" in experiment.architectures
    )


def page_tables(experiment: Experiment | None) -> list[str]:
    """Names of the tables on the page of an experiment, or of `results/star`."""
    return [*(STAR_TABLES if experiment is None else tables(experiment)), "claim_readings"]


def page_figures(experiment: Experiment | None) -> list[str]:
    """Names of the figures on that page."""
    return [*claim_figures(experiment), *(STAR_FIGURES if experiment is None else figures(experiment))]


def caption(kind: str, name: str) -> Path:
    """The file with the caption of a table or figure; profiles have one in common."""
    return CAPTIONS / kind / f"{'profile' if name.startswith('profile_') else name}.rst"


def has_gap(experiment: Experiment) -> bool:
    """Whether the experiment trains the same scale with and without a probe."""
    return "base" in experiment.activations and len(experiment.activations) > 1


def _is_ablation(test: dict) -> bool:
    """Whether a test sets a block changed in one factor against the block it was made from."""
    names = [name for arm in arms(test) for name in arm["architecture"]]
    return test["kind"] == "paired" and all(name.startswith("ablation_") for name in names)
