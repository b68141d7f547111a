"""What an experiment reports: names of tables and figures. Light, as the workflow reads it at every start."""

import re
from collections.abc import Sequence
from pathlib import Path

from lowparam.claims.availability import arms, planned
from lowparam.params import Experiment
from lowparam.references.small_nets import published_nets
from lowparam.studies.star.names import VARIANTS, activated, parse, standard, sum_partner

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
    "VARIANT_TABLES",
    "caption",
    "claim_figures",
    "families",
    "figures",
    "has_bilinear",
    "is_bilinear",
    "opened",
    "page_figures",
    "page_tables",
    "profile_name",
    "reported",
    "tables",
]

TABLE_SUFFIXES = ("tex", "md", "csv")
FIGURE_SUFFIXES = ("pdf", "png")

# Of each architecture of an experiment.
PROFILE_FIGURES = ("profile", "directions", "spectra", "cross_talk")

# Of `results/toy`, on which the measures of interference are calibrated.
TOY_TABLES = ("shapes", "sweep", "behaviour", "absolute")
TOY_FIGURES = ("grams", "geometry", "phase")

# Of `results/star`, which belongs to no experiment.
STAR_TABLES = ("dimension", "growth", "moons")
STAR_FIGURES = ("dimension", "moons_boundaries", "moons_placement")

# Of StarNet's variants, with the number of the paper's table.
VARIANT_TABLES = {"star_stages": 7, "star_placement": 9, "star_kind": 17, "star_designs": 18}

# How names of published networks end: mobilenetv2_x0.5, convnext_w16, demonet_star_d12_w32, starnet_s050.
SIZE = re.compile(r"_(x[\d.]+|(d\d+_)?w\d+|s\d+)(?=@|$)")

# Of everything that claims are judged on.
CLAIM_TABLES = ("claims", "claim_readings")
# An experiment has those of these that it has runs for.
CLAIM_FIGURES = ("claims", "scaling", "crossing", "interference_accuracy", "ablation", "dose_response")

CAPTIONS = Path(__file__).parents[1] / "report"


def tables(experiment: Experiment) -> list[str]:
    """Names of the tables; the SoLU gap needs the architecture's own activation and another to compare."""
    names = ["accuracy", "interference", *(["solu_gap"] if has_gap(experiment) else [])]
    if published_nets(experiment.data) and "none" in experiment.probes:
        names.append("published")
    if len(experiment.seeds) > 1:
        names.append("reliability")
    if has_star_gap(experiment):
        names += ["star_gap", "star_interference"]
    if any(activated(name) in experiment.architectures for name in experiment.architectures):
        names.append("star_activation")
    return [*names, *(name for name, number in VARIANT_TABLES.items() if has_variants(experiment, number))]


def reported(experiment: Experiment) -> list[str]:
    """Names of the files and folders in `results/<experiment>` that are about all runs together."""
    eigenvectors = ["bilinear.csv", "bilinear_accuracy.csv"] if has_bilinear(experiment) else []
    return ["runs.csv", "metrics.json", "claims.csv", "claims.md", "report.html", *eigenvectors, "tables", "figures"]


def figures(experiment: Experiment) -> list[str]:
    """Names of the figures: those of the tables that are about networks, and the profile of each family."""
    of_tables = [name for name in tables(experiment) if name in ("accuracy", "interference", "solu_gap")]
    swept = len({star.size for star in map(parse, experiment.architectures) if star and star.depth_width}) > 1
    star = {
        "star_interference": has_star_gap(experiment) and (swept or len(experiment.sizes) > 1),
        "star_sweeps": swept,
        "star_variants": any(has_variants(experiment, number) for number in VARIANT_TABLES.values()),
    }
    inside = [profile_name(kind, family) for family in opened(experiment) for kind in PROFILE_FIGURES]
    return [*of_tables, *(name for name, there in star.items() if there), *inside]


def opened(experiment: Experiment) -> dict[str, list[str]]:
    """The families whose inside is drawn: not StarNets that differ from another in one thing."""
    return {
        family: members
        for family, members in families(experiment.architectures).items()
        if standard(family) is None or not (parse(family).variant or parse(family).summed)
    }


def families(architectures: Sequence[str]) -> dict[str, list[str]]:
    """Architectures by their name without the size that published networks have in theirs, in order."""
    found: dict[str, list[str]] = {}
    for name in architectures:
        found.setdefault(SIZE.sub("", name), []).append(name)
    return found


def profile_name(kind: str, family: str) -> str:
    """Name of a figure about the inside of an architecture, or of the last one of a family."""
    return f"{kind}_{family.replace(':', '.')}"


def claim_figures(experiment: Experiment | None) -> list[str]:
    """Names of the figures behind the verdicts that the experiment has runs for; None is for `results/star`."""
    if experiment is None:
        return ["claims"]
    tests = [test for _, test in planned(experiment)]
    kinds = {test["kind"] for test in tests}
    curves = experiment.mode == "controlled" and "none" in experiment.probes and len(experiment.sizes) > 1
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
    return "none" in experiment.probes and any(map(is_bilinear, experiment.architectures))


def is_bilinear(architecture: str) -> bool:
    """Whether it is a DemoNet with products and without activation."""
    found = parse(architecture)
    return found is not None and (found.family, found.operator, found.variant) == ("demonet", "star", "noact")


def has_star_gap(experiment: Experiment) -> bool:
    """Whether the experiment trains a network with products and the same with sums."""
    return any(sum_partner(name) in experiment.architectures for name in experiment.architectures)


def has_variants(experiment: Experiment, table: int) -> bool:
    """Whether the experiment trains variants of StarNet that a table of the paper is about, and the standard block."""
    found = [parse(name) for name in experiment.architectures if standard(name) in experiment.architectures]
    return any(star.operator == "mixed" if table == 7 else star.variant in _named(table) for star in found)


def _named(table: int) -> set[str]:
    return set(VARIANTS[table].values()) - {""}


def page_tables(experiment: Experiment | None) -> list[str]:
    """Names of the tables on the page of an experiment, or of `results/star`."""
    return [*(STAR_TABLES if experiment is None else tables(experiment)), "claim_readings"]


def page_figures(experiment: Experiment | None) -> list[str]:
    """Names of the figures on that page; of those about the inside of a network only the first kind."""
    names = STAR_FIGURES if experiment is None else figures(experiment)
    inside = tuple(f"{kind}_" for kind in PROFILE_FIGURES[1:])
    return [*claim_figures(experiment), *(name for name in names if not name.startswith(inside))]


def caption(kind: str, name: str) -> Path:
    """The file with the caption of a table or figure; those of one kind about the inside of architectures share it."""
    shared = next((inside for inside in PROFILE_FIGURES if name.startswith(f"{inside}_")), name)
    return CAPTIONS / kind / f"{shared}.rst"


def has_gap(experiment: Experiment) -> bool:
    """Whether the experiment trains the same scale with and without a probe."""
    return "none" in experiment.probes and len(experiment.probes) > 1


def _is_ablation(test: dict) -> bool:
    """Whether a test sets a block changed in one factor against the block it was made from."""
    names = [name for arm in arms(test) for name in arm["architecture"]]
    return test["kind"] == "paired" and all(name.startswith("ablation_") for name in names)
