"""List the tables and figures of every experiment and study: names, captions, and the conditions for each.

Each file in ``report/tables`` and ``report/figures`` is one table or figure and declares with literal constants what it
is about (the protocol is at the head of those two packages). This module reads the constants without importing
anything, and is the only place that decides which tables and figures an experiment or a study has: the workflow and
the report both ask here. It imports neither pandas nor torch, because the Snakefile reads it at every start.

A *subject* is an `Experiment` of params.yaml, or the name of a study such as ``"star"``.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lowparam import paths, registry, studies
from lowparam.architectures import probe_entry
from lowparam.claims.availability import CLAIMS, figure_of, has_enough_parts, planned
from lowparam.errors import LowparamError
from lowparam.params import Experiment
from lowparam.references.small_nets import published_nets
from lowparam.studies.star.names import VARIANTS, activated, parse, standard, sum_partner

__all__ = [
    "CONDITIONS",
    "FIGURES",
    "FIGURE_SUFFIXES",
    "TABLES",
    "TABLE_SUFFIXES",
    "VARIANT_TABLES",
    "Output",
    "Shown",
    "claim_files",
    "condition",
    "every_output",
    "families",
    "families_with_profile_figures",
    "figures",
    "has_bilinear_blocks",
    "is_bilinear",
    "is_judged",
    "known_figures",
    "nodepth_readings",
    "outputs",
    "report_files",
    "report_outputs",
    "shown_in_report",
    "solu_readings",
    "tables",
]

TABLES, FIGURES = "report/tables", "report/figures"
TABLE_SUFFIXES = ("tex", "md", "csv")
FIGURE_SUFFIXES = ("pdf", "png")

Subject = Experiment | str

# StarNet's variants, with the number of the table in Ma et al. 2024.
VARIANT_TABLES = {"star_stages": 7, "star_placement": 9, "star_kind": 17, "star_designs": 18}

VERDICT_TABLES = {"claims": True, "claim_readings": False}
"""Tables of verdicts, with whether their rows are primary tests."""

# The size at the end of a published network's name: mobilenetv2_x0.5, convnext_w16, demonet_star_d12_w32, starnet_s050.
SIZE = re.compile(r"_(x[\d.]+|(d\d+_)?w\d+|s\d+)(?=@|$)")


@dataclass(frozen=True)
class Output:
    """A table or figure of a subject.

    Parameters
    ----------
    name : str
        Name of its files without suffix: that of the entry, followed by the family if there is one figure a family.
    entry : str
        Name of the file in ``report/tables`` or ``report/figures``.
    about : str
        First line of the file's docstring, without its full stop.
    caption : str
        Its ``CAPTION``, with placeholders that are filled in when it is written.
    family : str
        The architecture without its size, for a figure a family; otherwise empty.
    members : tuple of str
        Architectures of that family, in the order of params.yaml.
    on_page : bool
        Whether the HTML report contains it.
    shown : bool
        Whether Markdown pages show the figure, so that git keeps the picture.
    """

    name: str
    entry: str
    about: str
    caption: str
    family: str = ""
    members: tuple[str, ...] = ()
    on_page: bool = True
    shown: bool = False


def tables(subject: Subject, of: str | None = None) -> list[str]:
    """Return the names of the tables of a subject; `of` as in `outputs`."""
    return [output.name for output in outputs(TABLES, subject, of)]


def figures(subject: Subject, of: str | None = None) -> list[str]:
    """Return the names of the figures of a subject; `of` as in `outputs`."""
    return [output.name for output in outputs(FIGURES, subject, of)]


def outputs(folder: str, subject: Subject, of: str | None = None) -> list[Output]:
    """List the tables or figures of a subject, sorted by ``ORDER`` and name.

    Parameters
    ----------
    folder : str
        `TABLES` or `FIGURES`.
    subject : Experiment or str
        An experiment of params.yaml, or the name of a study.
    of : str, optional
        ``"verdicts"`` for the outputs that show verdicts on claims. By default those of the experiment or study itself.

    Raises
    ------
    LowparamError
        If a file lacks a constant or names an unknown condition.
    """
    experiment = subject if isinstance(subject, Experiment) else None
    of = of or ("experiment" if experiment else str(subject))
    if of == "verdicts" and not experiment and not studies.find(str(subject)).judged:
        return []
    found: list[Output] = []
    names = _in_order(folder)
    if of == "verdicts" and folder == FIGURES:
        known = _verdict_figures(experiment)
        names = [name for name in names if name in known]
    if of == "verdicts" and folder == TABLES:
        names = [name for name in names if _has_rows(name, experiment)]
    for name in names:
        declared = _declared(folder, name)
        if declared.get("OF", "experiment") != of or not _applies(declared, experiment):
            continue
        about = registry.about(folder, name)
        caption, on_page, shown = (declared.get(key, value) for key, value in DEFAULTS.items())
        if experiment and declared.get("PER") == "family":
            for family, members in families_with_profile_figures(experiment).items():
                file = f"{name}_{family.replace(':', '.')}"
                found.append(Output(file, name, about, caption, family, tuple(members), on_page, shown))
        else:
            found.append(Output(name, name, about, caption, on_page=on_page, shown=shown))
    return found


def every_output(folder: str, subject: Subject) -> list[Output]:
    """List the tables or figures that show verdicts on claims, then all others; parameters are those of `outputs`."""
    return [*outputs(folder, subject, "verdicts"), *outputs(folder, subject)]


def known_figures(of: str) -> list[str]:
    """Return the names of all figures of a kind of subject, whether or not some experiment has the runs for them."""
    return [name for name in _in_order(FIGURES) if _declared(FIGURES, name).get("OF", "experiment") == of]


def claim_files() -> list[Path]:
    """Return the files that state the claims."""
    return sorted(CLAIMS.glob("*.yaml"))


def is_judged(subject: Subject) -> bool:
    """Return whether claims are judged on a subject: on every experiment, and on the studies that declare it."""
    return isinstance(subject, Experiment) or bool(studies.find(subject).judged)


def report_files(subject: Subject, name: str) -> list[Path]:
    """Return every file for reading about a subject, which ``lowparam report <name>`` writes.

    Parameters
    ----------
    subject : Experiment or str
        An experiment of params.yaml, or the name of a study.
    name : str
        The name of either.
    """
    files: list[Path] = []
    for of in (None, "verdicts") if is_judged(subject) else (None,):
        files += [
            paths.tables(name) / f"{table}.{suffix}" for table in tables(subject, of) for suffix in TABLE_SUFFIXES
        ]
        for figure in outputs(FIGURES, subject, of):
            files += [paths.figures(name) / f"{figure.name}.{suffix}" for suffix in FIGURE_SUFFIXES]
            files += [paths.shown(name) / f"{figure.name}.png"] if figure.shown else []
    if is_judged(subject):
        folder = paths.experiment(name)
        files += [paths.claims(name), folder / "claims.md", paths.tables(name) / "macros.tex", paths.page(name)]
    return files


@dataclass(frozen=True)
class Shown:
    """How ``snakemake --report`` shows a file: ``kind`` is tables, figures or page; ``about`` is one line."""

    kind: str
    category: str
    about: str


def shown_in_report(subject: Subject, name: str) -> dict[Path, Shown]:
    """Return how ``snakemake --report`` shows the files for reading about a subject; those missing here it does not.

    A table is shown as csv and a figure as PNG, once. The parameters are those of `report_files`.
    """
    shown = {paths.page(name): Shown("page", "Claims", "All verdicts with their evidence")}
    for of in (None, "verdicts") if is_judged(subject) else (None,):
        for output in outputs(TABLES, subject, of):
            category = "Claims" if of else "Tables"
            shown[paths.tables(name) / f"{output.name}.csv"] = Shown("tables", category, output.about)
        for output in outputs(FIGURES, subject, of):
            category = "Claims" if of else "Figures"
            shown[paths.figures(name) / f"{output.name}.png"] = Shown("figures", category, output.about)
    return shown


def report_outputs(experiment: Experiment) -> list[str]:
    """Return the files and folders in ``results/<experiment>`` that summarise all of its runs."""
    eigenvectors = [file.name for file in paths.bilinear("")] if has_bilinear_blocks(experiment) else []
    return [
        "runs.csv",
        "metrics.json",
        "claims.csv",
        "claims.md",
        "report.html",
        *eigenvectors,
        "tables",
        "figures",
        "shown",
    ]


# What a file declares.

DEFAULTS = {"CAPTION": "", "ON_PAGE": True, "SHOWN": False}
KNOWN = {"CAPTION", "APPLIES", "OF", "PER", "ORDER", "ON_PAGE", "SHOWN"}


@cache
def _declared(folder: str, name: str) -> dict:
    declared = {key: value for key, value in registry.constants(folder, name).items() if key in KNOWN}
    file = f"lowparam/{folder}/{name}.py"
    if not isinstance(declared.get("CAPTION"), str) or not declared["CAPTION"].strip():
        raise LowparamError(f"{file} has no CAPTION; write a sentence that explains it, as a literal")
    if not isinstance(declared.get("APPLIES", ()), tuple):
        raise LowparamError(f"APPLIES of {file} must be a tuple such as ('has_several_seeds',)")
    for condition in declared.get("APPLIES", ()):
        registry.get(condition, CONDITIONS, f"condition in APPLIES of {file}")
    of = declared.get("OF", "experiment")
    registry.get(of, dict.fromkeys(["experiment", "verdicts", *studies.names()]), f"OF in {file}:")
    if declared.get("PER") not in (None, "family") or ("PER" in declared and of != "experiment"):
        raise LowparamError(f"PER of {file} must be 'family', in a figure of an experiment")
    return declared


def _in_order(folder: str) -> list[str]:
    names = registry.entries(folder)
    return sorted(names, key=lambda name: (_declared(folder, name).get("ORDER", 100), name))


def _applies(declared: dict, experiment: Experiment | None) -> bool:
    conditions = declared.get("APPLIES", ())
    return not conditions or (experiment is not None and all(CONDITIONS[name](experiment) for name in conditions))


def _verdict_figures(experiment: Experiment | None) -> set[str]:
    """Return the figures behind the verdicts that an experiment has runs for; None stands for a study."""
    if experiment is None:
        return {"claims"}
    curves = experiment.mode == "controlled" and "none" in experiment.probes and len(experiment.sizes) > 1
    return {"claims", *(["scaling"] if curves else []), *(figure_of(test) for _, test in planned(experiment))}


def _has_rows(table: str, experiment: Experiment | None) -> bool:
    """Return whether a table of verdicts has rows: the claims those of primary tests, the readings those of others."""
    if experiment is None or table not in VERDICT_TABLES:
        return True
    return any(bool(test.get("primary")) == VERDICT_TABLES[table] for _, test in planned(experiment))


# Families of architectures, and the figures that each has.


def families(architectures: Sequence[str]) -> dict[str, list[str]]:
    """Group architectures by their name without the size that published networks have in theirs, in order."""
    found: dict[str, list[str]] = {}
    for name in architectures:
        found.setdefault(SIZE.sub("", name), []).append(name)
    return found


def families_with_profile_figures(experiment: Experiment) -> dict[str, list[str]]:
    """Return the families that have figures of their profiles: all but variants of StarNet."""
    return {
        family: members
        for family, members in families(experiment.architectures).items()
        if not (standard(family) and (star := parse(family)) and (star.variant or star.summed))
    }


def is_bilinear(architecture: str) -> bool:
    """Whether an architecture is a DemoNet with products and without activation."""
    found = parse(architecture)
    return found is not None and (found.family, found.operator, found.variant) == ("demonet", "star", "noact")


def solu_readings(experiment: Experiment) -> list[str]:
    """Return the probes of an experiment that are readings of SoLU; none without networks to compare them with."""
    return [name for name in experiment.probes if probe_entry(name) == "solu"] if "none" in experiment.probes else []


def nodepth_readings(experiment: Experiment) -> list[str]:
    """Return the architectures of an experiment that are readings of NoDepth, unchanged by parts."""
    return [name for name in experiment.architectures if name.startswith("nodepth_") and "+" not in name]


# Conditions, which files name in APPLIES.

CONDITIONS: dict[str, Callable[[Experiment], bool]] = {}


def condition(function: Callable[[Experiment], bool]) -> Callable[[Experiment], bool]:
    """Make a function of an experiment available to ``APPLIES`` under its name."""
    CONDITIONS[function.__name__] = function
    return function


@condition
def has_several_seeds(experiment: Experiment) -> bool:
    """Whether each scale is trained more than once."""
    return len(experiment.seeds) > 1


@condition
def is_deployed(experiment: Experiment) -> bool:
    """Whether each run is exported and measured as for a device."""
    return experiment.deploy


@condition
def has_known_features(experiment: Experiment) -> bool:
    """Whether networks are trained on images of known features, in a dose."""
    return any("dose" in given for given in experiment.variants.values())


@condition
def has_four_doses(experiment: Experiment) -> bool:
    """Whether there are at least four doses of known features, of which a correlation says something."""
    return sum("dose" in given for given in experiment.variants.values()) >= 4


@condition
def is_tuned(experiment: Experiment) -> bool:
    """Whether recipe values are chosen by validation accuracy before training."""
    return experiment.tune is not None


@condition
def varies_penalties(experiment: Experiment) -> bool:
    """Whether each network is trained with penalties and, as a variant that changes nothing, without."""
    given = experiment.variants.values()
    return "none" in experiment.probes and any("penalties" in each for each in given) and not all(given)


@condition
def has_several_sizes(experiment: Experiment) -> bool:
    """Whether networks are trained at more than one number of parameters."""
    return len(experiment.sizes) > 1 or sweeps_demonet(experiment)


@condition
def compares_probes(experiment: Experiment) -> bool:
    """Whether the same scale is trained with and without a probe."""
    return "none" in experiment.probes and len(experiment.probes) > 1


@condition
def compares_readings(experiment: Experiment) -> bool:
    """Whether several readings of SoLU, or of NoDepth, are trained."""
    return len(solu_readings(experiment)) > 1 or len(nodepth_readings(experiment)) > 1


@condition
def compares_many_architectures(experiment: Experiment) -> bool:
    """Whether at least ten architectures of the controlled mode are trained without probe."""
    return experiment.mode == "controlled" and "none" in experiment.probes and len(experiment.architectures) >= 10


@condition
def compares_elements(experiment: Experiment) -> bool:
    """Whether blocks are trained with and without at least five parts, all in the same way."""
    blocks = [name for name in experiment.architectures if "+" not in name]
    return has_enough_parts((name for name in experiment.architectures if name.partition("+")[0] in blocks), experiment)


@condition
def has_published_networks(experiment: Experiment) -> bool:
    """Whether there are published results on the same data to compare with."""
    return bool(published_nets(experiment.data)) and "none" in experiment.probes


@condition
def compares_star_and_sum(experiment: Experiment) -> bool:
    """Whether a network with products and the same network with sums are trained."""
    return any(sum_partner(name) in experiment.architectures for name in experiment.architectures)


@condition
def compares_activation(experiment: Experiment) -> bool:
    """Whether a StarNet or DemoNet is trained with and without its activation."""
    return any(activated(name) in experiment.architectures for name in experiment.architectures)


@condition
def sweeps_demonet(experiment: Experiment) -> bool:
    """Whether published DemoNets of several depths or widths are trained."""
    return len({star.size for star in map(parse, experiment.architectures) if star and star.depth_width}) > 1


@condition
def has_bilinear_blocks(experiment: Experiment) -> bool:
    """Whether star blocks without activation are trained, which can be decomposed into eigenvectors."""
    return "none" in experiment.probes and any(map(is_bilinear, experiment.architectures))


@condition
def varies_starnet_stages(experiment: Experiment) -> bool:
    """Whether StarNets with sums in some stages are trained, and the standard one (table 7 of Ma et al.)."""
    return any(star.operator == "mixed" for star in _starnets(experiment))


@condition
def varies_starnet_placement(experiment: Experiment) -> bool:
    """Whether StarNets with the activation in other places are trained, and the standard one (table 9)."""
    return _varies_starnet(experiment, 9)


@condition
def varies_starnet_kind(experiment: Experiment) -> bool:
    """Whether StarNets with other activations are trained, and the standard one (table 17)."""
    return _varies_starnet(experiment, 17)


@condition
def varies_starnet_design(experiment: Experiment) -> bool:
    """Whether StarNets with other designs of the block are trained, and the standard one (table 18)."""
    return _varies_starnet(experiment, 18)


@condition
def varies_starnet(experiment: Experiment) -> bool:
    """Whether any of StarNet's variants is trained, and the standard one."""
    return varies_starnet_stages(experiment) or any(star.variant in VARIANTS for star in _starnets(experiment))


def _starnets(experiment: Experiment) -> list:
    """Return the parsed names of StarNets whose standard block is trained too."""
    return [parse(name) for name in experiment.architectures if standard(name) in experiment.architectures]


def _varies_starnet(experiment: Experiment, table: int) -> bool:
    named = {name for name, variant in VARIANTS.items() if variant.table == table}
    return any(star.variant in named for star in _starnets(experiment))
