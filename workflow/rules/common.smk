# What the other rules ask: the settings, the files of a run, the code that a result depends on.

import hashlib
import math
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from lowparam import params as parameters
from lowparam import catalogue
from lowparam import provenance, runs, studies
from lowparam.engine import plans as predictions
from lowparam.errors import LowparamError

from lowparam.engine import metadata_records, stale_locks

# One clear line instead of a traceback, before any job is planned.
try:
    PARAMS = parameters.load()
    if workflow.is_main_process:
        stale_locks.clear()
        metadata_records.mark_stale(PARAMS)
        metadata_records.restore()
except LowparamError as error:
    sys.exit(f"lowparam: {error}")
if workflow.is_main_process:
    # Only of what was asked for: to build the networks of all experiments once takes a minute.
    words = {word for given in sys.argv[1:] for word in re.split("[/=]", given)}
    asked = [
        name for name in PARAMS.experiments if words & {*parameters.rules_of(name)}
    ]
    if subprocess.run(
        ["lowparam", "check", "--quiet", *(asked or PARAMS.replicate)]
    ).returncode:
        sys.exit(1)


def here(path):
    """Path from the working directory, because absolute paths in Snakemake's metadata would not survive a clone."""
    return os.path.relpath(path)


wildcard_constraints:
    data="[^/]+",
    experiment="[^/]+",
    scale="[^/]+",


ROOT = Path(workflow.basedir)
LOCK = here(ROOT / "requirements.lock")


@cache
def code(verb, *more):
    """The source files that a command runs through."""
    entry = provenance.ENTRIES.get(verb, verb)
    return [
        here(provenance.PACKAGE / file) for file in provenance.files(entry, *more)
    ]


def streams(experiment):
    """Whether the images of an experiment stay on disk while it trains."""
    return PARAMS.data[PARAMS.experiment(experiment).data].stream


# The grid by name, expanded once: looking a job's scale up must not take longer the more jobs there are.
@cache
def scales(experiment):
    """The scales of an experiment by the names of their folders."""
    return {scale.name: scale for scale in PARAMS.scales(experiment)}


@cache
def families(experiment):
    """The scales of each architecture with each probe, one for each budget."""
    found = {}
    for name, scale in scales(experiment).items():
        found.setdefault(name.rpartition("-")[0], []).append(scale)
    return found


def scale_of(wildcards):
    """The scale that a folder is named by."""
    return scales(wildcards.experiment)[wildcards.scale]


def family(wildcards):
    """The scales of an architecture with an probe."""
    return families(wildcards.experiment)[f"{wildcards.architecture}-{wildcards.probe}"]


def runs_of(scales):
    """The runs of some scales."""
    return [
        parameters.Run(scale, seed)
        for scale in scales
        for seed in PARAMS.experiment(scale.experiment).seeds
    ]


def specs(scales):
    """All that determines the runs of some scales, by run folder: a change in here makes them run again."""
    return {
        str(run.folder): runs.identity(PARAMS, run) for run in runs_of(scales)
    }


def digest(value):
    """A short stand-in for a parameter that is long."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


# GPUs of a training, where the executor hands them out: snakemake --config gpus=1.
GPUS = int(config.get("gpus", 0))


@cache
def predicted(experiment):
    """What `lowparam plan` said of the experiment, if it was asked."""
    return predictions.kept(PARAMS, experiment)


def memory_mb(experiment, scales):
    """Memory to request for scales that run one after another, in MB."""
    known = predicted(experiment)
    return max(
        (
            math.ceil(1.25 * known[scale.name]["memory_mb"])
            if scale.name in known
            else 4000
        )
        for scale in scales
    )


def minutes(experiment, scales, share=1.0):
    """Time to request for them: twice the prediction, because machines differ; four hours each without one."""
    known = predicted(experiment)
    seconds = sum(
        2 * known[scale.name]["seconds"] if scale.name in known else 4 * 3600
        for scale in scales
    )
    return math.ceil(5 + share * seconds / 60)


def run_files(experiment, *names):
    """Files of all runs of an experiment."""
    return [str(run.folder / name) for run in PARAMS.runs(experiment) for name in names]


def profile_files(experiment):
    """Interference profiles of all runs of an experiment."""
    return [str(run.profile) for run in PARAMS.runs(experiment)]


def array_files(experiment):
    """What the figures of profiles show, of the first seed of each scale."""
    first = PARAMS.experiment(experiment).seeds[0]
    return [
        str(run.profile.with_suffix(".safetensors"))
        for run in PARAMS.runs(experiment)
        if run.seed == first
    ]


def data_files(name):
    """The stored images of a data set, or their names if it is streamed, and their manifest."""
    stored = "files.json" if PARAMS.data[name].stream else "images.safetensors"
    return [f"results/data/{name}/{stored}", f"results/data/{name}/manifest.json"]


def location_file(name):
    """Where the images of a streamed data set lie: no input of anything, as images that move are still the same."""
    return [f"results/data/{name}/location.json"] if PARAMS.data[name].stream else []


def table_files(subject, of=None):
    """Tables of an experiment or a study, or (of="verdicts") of the verdicts on it."""
    return [
        in_report(f"results/{subject}/tables/{table.name}.{suffix}", table)
        for table in tables_of(subject, of)
        for suffix in catalogue.TABLE_SUFFIXES
    ]


def figure_files(subject, of=None):
    """Figures of them; the PNGs that Markdown shows are copied to a folder that git keeps."""
    return [
        in_report(file, figure)
        for figure in figures_of(subject, of)
        for file in (
            *(
                f"results/{subject}/figures/{figure.name}.{suffix}"
                for suffix in catalogue.FIGURE_SUFFIXES
            ),
            *([f"results/{subject}/shown/{figure.name}.png"] if figure.shown else []),
        )
    ]


@cache
def tables_of(subject, of=None):
    return catalogue.outputs(
        catalogue.TABLES, PARAMS.experiments.get(subject, subject), of
    )


@cache
def figures_of(subject, of=None):
    return catalogue.outputs(
        catalogue.FIGURES, PARAMS.experiments.get(subject, subject), of
    )


def report_code(verb, subject, *, tables=(), figures=()):
    """The source files of a command that writes some tables and figures of a subject."""
    entries = {
        *(
            f"report/tables/{t.entry}.py"
            for of in tables
            for t in tables_of(subject, of)
        ),
        *(
            f"report/figures/{f.entry}.py"
            for of in figures
            for f in figures_of(subject, of)
        ),
    }
    return code(verb, *sorted(entries))


# Of the subject itself, and of the verdicts on it.
OWN, VERDICTS, BOTH = (None,), ("verdicts",), (None, "verdicts")


# The forms of tables and figures that `snakemake --report` shows.
IN_REPORT = {"tables": ".csv", "figures": ".png"}


def in_report(file, output=None):
    """Mark a file for `snakemake --report`: a csv table, a figure, or (without output) the page."""
    _, subject, *folder, name = Path(file).parts
    kind = folder[0] if folder else "page"
    if output is not None and IN_REPORT.get(kind) != Path(file).suffix:
        return file
    claim = output is None or output in (
        *tables_of(subject, "verdicts"),
        *figures_of(subject, "verdicts"),
    )
    return report(
        file,
        caption=str(ROOT / f"workflow/report/{kind}.rst"),
        category="Claims" if claim else kind.capitalize(),
        subcategory=subject,
        labels={
            kind.removesuffix("s"): Path(file).stem.replace("_", " "),
            "shows": output.about if output else "All verdicts with their evidence.",
        },
    )


def claim_files(subject):
    """Everything that is written about the verdicts on an experiment or a study."""
    folder = f"results/{subject}"
    return [
        f"{folder}/claims.csv",
        f"{folder}/claims.md",
        f"{folder}/tables/macros.tex",
        *table_files(subject, "verdicts"),
        *figure_files(subject, "verdicts"),
    ]


def printed(experiment):
    """Everything that is made of finished runs for reading."""
    return [
        *table_files(experiment),
        *figure_files(experiment),
        *claim_files(experiment),
        f"results/{experiment}/report.html",
    ]


def bilinear_files(experiment):
    """Eigenvectors of star blocks, where an experiment has blocks that are bilinear."""
    if not catalogue.has_bilinear_blocks(PARAMS.experiment(experiment)):
        return []
    return [
        f"results/{experiment}/bilinear.csv",
        f"results/{experiment}/bilinear_accuracy.csv",
    ]


def trained(experiment):
    """What training makes, each file by name, so that a deleted checkpoint is noticed."""
    return [
        *run_files(experiment, "metrics.json", "history.csv", "model.safetensors"),
        f"results/{experiment}/baseline.json",
    ]


def targets(experiment):
    """Everything that an experiment makes."""
    return [
        *trained(experiment),
        *profile_files(experiment),
        *array_files(experiment),
        f"results/{experiment}/runs.csv",
        *bilinear_files(experiment),
        *printed(experiment),
    ]
