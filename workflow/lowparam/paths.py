"""Where everything is: every path of results and of unfinished work, once.

All paths are relative to the folder with params.yaml, so that they mean the same after a clone. This module imports
nothing but pathlib, because the Snakefile reads it at every start.

    results/data/<data>/                       a prepared data set
    results/<experiment>/runs/<scale>/seed<k>/ a run: metrics.json, history.csv, model.safetensors
    results/<experiment>/tuning/               what tuning chose, a file for each architecture with a probe
    results/<experiment>/profiles/<scale>/     its interference profile: seed<k>.csv
    results/<experiment>/deployment/<scale>/   what a device needs for it, if the experiment asks: seed<k>.json
    results/<experiment>/{runs.csv,claims.csv,tables/,figures/,shown/,report.html}
    .lowparam/                                 unfinished work, predictions, answers kept between starts
"""

from pathlib import Path

__all__ = [
    "DATA",
    "OVERVIEW",
    "OVERVIEW_FIGURE",
    "RESULTS",
    "WORK",
    "baseline",
    "benchmarks",
    "bilinear",
    "claims",
    "code",
    "command_for",
    "data",
    "deployment",
    "digests",
    "experiment",
    "figures",
    "keys_of",
    "location",
    "manifest",
    "metrics",
    "network_counts",
    "page",
    "plans",
    "prepared",
    "profiles",
    "record",
    "remedy",
    "run",
    "runs",
    "runs_table",
    "scale",
    "scale_checks",
    "shown",
    "source_hashes",
    "tables",
    "trials",
    "tuning",
    "unfinished",
]

RESULTS = Path("results")
DATA = RESULTS / "data"
OVERVIEW, OVERVIEW_FIGURE = RESULTS / "claims.md", RESULTS / "claims.png"
"""Every claim over all experiments."""
WORK = Path(".lowparam")


def experiment(name: str) -> Path:
    """Return the folder of an experiment or of a study."""
    return RESULTS / name


def data(name: str) -> Path:
    """Return the folder of a prepared data set."""
    return DATA / name


def manifest(name: str) -> Path:
    """Return the description of a prepared data set: classes, shape, settings, hash."""
    return data(name) / "manifest.json"


def prepared(name: str, on_disk: bool) -> list[Path]:
    """Return the files of a prepared data set: its arrays, or the list of its files on disk, and the manifest."""
    return [data(name) / ("files.json" if on_disk else "images.safetensors"), manifest(name)]


def location(name: str) -> Path:
    """Return the file that tells where the images of a data set on disk are on this machine."""
    return data(name) / "location.json"


def runs(name: str) -> Path:
    """Return the folder of all runs of an experiment."""
    return experiment(name) / "runs"


def scale(name: str, scale: str) -> Path:
    """Return the folder of the runs of a scale."""
    return runs(name) / scale


def run(name: str, scale: str, seed: int) -> Path:
    """Return the folder of a run."""
    return runs(name) / scale / f"seed{seed}"


def profiles(name: str, scale: str = "") -> Path:
    """Return the folder of the interference profiles of an experiment or of one of its scales."""
    return experiment(name) / "profiles" / scale


def deployment(name: str, scale: str = "") -> Path:
    """Return the folder of what a device needs for the runs of an experiment or of one of its scales."""
    return experiment(name) / "deployment" / scale


def tuning(name: str, family: str = "") -> Path:
    """Return the folder of what tuning chose in an experiment, or the file of one architecture with a probe."""
    folder = experiment(name) / "tuning"
    return folder / f"{family}.json" if family else folder


def runs_table(name: str) -> Path:
    """Return the table with one row a run."""
    return experiment(name) / "runs.csv"


def metrics(name: str) -> Path:
    """Return the summary for ``dvc metrics``."""
    return experiment(name) / "metrics.json"


def baseline(name: str) -> Path:
    """Return the accuracy that a network has to beat."""
    return experiment(name) / "baseline.json"


def claims(name: str) -> Path:
    """Return the verdicts of an experiment."""
    return experiment(name) / "claims.csv"


def tables(name: str) -> Path:
    """Return the folder of the tables."""
    return experiment(name) / "tables"


def figures(name: str) -> Path:
    """Return the folder of the figures."""
    return experiment(name) / "figures"


def shown(name: str) -> Path:
    """Return the folder of the pictures that Markdown pages show, the only ones that git keeps."""
    return experiment(name) / "shown"


def page(name: str) -> Path:
    """Return the HTML report."""
    return experiment(name) / "report.html"


def bilinear(name: str) -> list[Path]:
    """Return the tables of eigenvectors of star blocks: the eigenvectors, and accuracy with some of them."""
    return [experiment(name) / "bilinear.csv", experiment(name) / "bilinear_accuracy.csv"]


def benchmarks(name: str) -> Path:
    """Return the folder of the times that Snakemake measured."""
    return experiment(name) / "benchmarks"


def record(name: str, stage: str) -> Path:
    """Return the record of how Snakemake made the results of a DVC stage; of data it lies with the data."""
    return data(name) / "record.json" if stage == "data" else experiment(name) / "records" / f"{stage}.json"


def code() -> Path:
    """Return the file of what the code of every phase of every experiment means; DVC's stages depend on it."""
    return RESULTS / "code.json"


def digests() -> Path:
    """Return the file of the digests of code that were computed for the present source."""
    return WORK / "digests.json"


def unfinished(name: str, scale: str) -> Path:
    """Return the work folder of a scale, whose checkpoints survive a kill."""
    return WORK / "runs" / name / scale


def trials(name: str, family: str) -> Path:
    """Return the work folder of tuning an architecture with a probe, whose checkpoints survive a kill."""
    return WORK / "tuning" / name / family


def plans(name: str) -> Path:
    """Return the file of predicted times and memory of an experiment."""
    return WORK / "plans" / f"{name}.json"


def network_counts() -> Path:
    """Return the file of what networks cost."""
    return WORK / "networks.json"


def scale_checks(name: str) -> Path:
    """Return the file of the answers to whether the scales of an experiment can be built."""
    return WORK / "scales" / f"{name}.json"


def source_hashes(key: str) -> Path:
    """Return the file of the hashes of the images in a folder elsewhere, by a key of that folder."""
    return WORK / "sources" / f"{key}.json"


def command_for(path: Path | str) -> str | None:
    """Return the command that makes a result anew over what is there; None if there is none."""
    parts = Path(path).parts
    if WORK.name in parts:
        match _below(parts, WORK.name):
            case "tuning", name, family, *_:
                return f"lowparam tune {name} {family}"
        return None
    match _below(parts, RESULTS.name):
        case "data", name, "record.json":
            return "make record"
        case "data", name, _:
            return f"lowparam prepare {name}"
        case name, "runs", scale, *_:
            return f"lowparam train {name} {scale}"
        case name, "profiles", scale, *_:
            return f"lowparam profile {name} {scale}"
        case name, "deployment", scale, *_:
            return f"lowparam deploy {name} {scale}"
        case name, "tuning", file:
            return f"lowparam tune {name} {file.removesuffix('.json')}"
        case name, "baseline.json":
            return f"lowparam baseline {name}"
        case name, "runs.csv" | "metrics.json":
            return f"lowparam collect {name}"
        case name, "records", _:
            return f"make record EXPERIMENT={name}"
    return None


def keys_of(path: Path | str) -> tuple[str, ...]:
    """Return the keys, or columns, without which a file of results is not what its name says; none of other files."""
    match _below(Path(path).parts, RESULTS.name):
        case "data", _, "manifest.json":
            return ("sha256",)
        case _, "runs", _, _, "metrics.json":
            return ("spec", "status")
        case _, "profiles", _, file if file.endswith(".csv"):
            return ("measure", "site", "kind", "value")
        case _, "baseline.json":
            return ("test",)
        case _, "runs.csv":
            return ("architecture", "probe", "budget", "seed", "status", "test_accuracy")
    return ()


def remedy(path: Path | str) -> str:
    """Return what to do about a file that is damaged."""
    if command := command_for(path):
        return f"run: {command}"
    match _below(Path(path).parts, RESULTS.name):
        case name, _, *_:
            return f"delete it, and run: lowparam run {name}"
    return f"delete it; {WORK} has only what is computed again" if WORK.name in Path(path).parts else "restore it"


def _below(parts: tuple[str, ...], folder: str) -> tuple[str, ...]:
    """Return the part of a path below the last folder of a name; empty if there is none."""
    place = len(parts) - parts[::-1].index(folder) if folder in parts else len(parts)
    return parts[place:]
