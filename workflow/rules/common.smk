# What the rules share: the settings, the files of runs, and what a job may ask the machine for. Reads, and writes nothing.

import math
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from lowparam import catalogue, paths, prepared_data, runs, studies
from lowparam import params as parameters
from lowparam.engine import again, check, plans, rate_limit, rule_names, start
from lowparam.errors import LowparamError

ROOT = Path(workflow.basedir)

# One clear line instead of a traceback, before any job is planned.
try:
    PARAMS = parameters.load()
    rule_names.check_names(PARAMS)
    # The experiments of the rules `all`, `runs` and `profiles`: snakemake runs --config experiment=digits,solu
    CHOSEN = [
        name for name in str(config.get("experiment", "")).split(",") if name
    ] or PARAMS.replicate
    for name in CHOSEN:
        PARAMS.experiment(name)
    # Not for a list of files, which is right whatever Snakemake knows: lowparam prune gives the key.
    if workflow.is_main_process and not config.get("lists"):
        start.refuse_unprepared(PARAMS)
except LowparamError as error:
    sys.exit(f"lowparam: {error}")

# snakemake --config again=1: jobs that train discard what they find. Which jobs run is up to --forcerun.
if config.get("again"):
    again.give()

# GPUs of a training, where the executor hands them out: snakemake --config gpus=1.
GPUS = int(config.get("gpus", 0))


wildcard_constraints:
    data="[^/]+",
    experiment="[^/]+",
    scale="[^/]+",


def any_of(names):
    """A wildcard constraint for some names."""
    return "|".join(map(re.escape, names))


def grouped(key):
    """Experiments by what their outputs depend on, because the outputs of a rule are the same for all its jobs."""
    found = {}
    for name, experiment in PARAMS.experiments.items():
        found.setdefault(key(experiment), []).append(name)
    return found


# The grid by name, expanded once: looking a job's scale up must not take longer the more jobs there are.
@cache
def scales(experiment):
    """The scales of an experiment by the names of their folders."""
    return {scale.name: scale for scale in PARAMS.scales(experiment)}


@cache
def families(experiment):
    """The scales of each architecture with each probe, one for each budget."""
    found = {}
    for scale in scales(experiment).values():
        found.setdefault(scale.family, []).append(scale)
    return found


def scale_of(wildcards):
    """The scale that a folder is named by."""
    return scales(wildcards.experiment)[wildcards.scale]


def family(wildcards):
    """The scales of an architecture with a probe."""
    return families(wildcards.experiment)[f"{wildcards.architecture}-{wildcards.probe}"]


def names_of(scales):
    """The names of some scales."""
    return [scale.name for scale in scales]


def runs_of(scales):
    """The runs of some scales."""
    return [
        parameters.Run(scale, seed)
        for scale in scales
        for seed in PARAMS.experiment(scale.experiment).seeds
    ]


def tuned_scale(wildcards):
    """The scale at which an architecture with a probe is tuned."""
    return next(
        scale
        for scale in PARAMS.families(wildcards.experiment)
        if scale.family == wildcards.family
    )


def choices(experiment):
    """The files of what tuning chose, one for each architecture with each probe."""
    if not PARAMS.experiment(experiment).tune:
        return []
    return [
        str(paths.tuning(experiment, scale.family))
        for scale in PARAMS.families(experiment)
    ]


def choice_of(wildcards):
    """The file of what tuning chose for a scale, if the experiment tunes."""
    scale = scale_of(wildcards)
    tuned = PARAMS.experiment(scale.experiment).tune
    return [str(paths.tuning(scale.experiment, scale.family))] if tuned else []


@cache
def checked(experiment):
    """Stop before anything runs if a scale of the experiment cannot be built, as for a budget out of reach."""
    # Building networks needs torch, which would slow down every start: another process does it, once for all chosen.
    together = CHOSEN if experiment in CHOSEN else [experiment]
    if not check.is_checked(PARAMS, experiment):
        if subprocess.run(["lowparam", "check", "--quiet", *together]).returncode:
            sys.exit(1)


@cache
def predicted(experiment):
    """What `lowparam plan` predicted for the experiment, if it was run."""
    return plans.kept(PARAMS, experiment)


def memory_mb(experiment, names):
    """Memory to request for jobs of the plan that run one after another, in MB."""
    known = predicted(experiment)
    return max(
        (math.ceil(1.25 * known[name]["memory_mb"]) if name in known else 4000)
        for name in names
    )


def minutes(experiment, names, share=1.0):
    """Time to request for them: twice the prediction, because machines differ; four hours each without one."""
    known = predicted(experiment)
    seconds = sum(
        2 * known[name]["seconds"] if name in known else 4 * 3600 for name in names
    )
    return math.ceil(5 + share * seconds / 60)


def cores(wildcards):
    """Cores of a training: all of them decode images that stay on disk."""
    return workflow.cores if runs.reads_from_disk(PARAMS, wildcards.experiment) else 1


def data_files(experiment):
    """The stored images of an experiment's data, or their names if they stay on disk, and their manifest."""
    name = PARAMS.experiment(experiment).data
    return [str(file) for file in paths.prepared(name, PARAMS.data[name].stream)]


def run_files(experiment, *names):
    """Files of all runs of an experiment."""
    return [str(run.folder / name) for run in PARAMS.runs(experiment) for name in names]


def trained(experiment):
    """What tuning and training make, each file by name, so that a deleted checkpoint is noticed."""
    return [
        *choices(experiment),
        *run_files(experiment, *runs.FILES),
        str(paths.baseline(experiment)),
    ]


def profile_files(experiment):
    """Interference profiles of all runs of an experiment."""
    return [str(run.profile) for run in PARAMS.runs(experiment)]


def deployment_files(experiment):
    """What a device needs for each run of an experiment; empty if it does not ask for it."""
    chosen = PARAMS.experiment(experiment)
    return [str(run.deployment) for run in PARAMS.runs(experiment) if chosen.deploy]


def array_files(experiment):
    """What the figures of profiles show, of the first seed of each scale."""
    first = PARAMS.experiment(experiment).seeds[0]
    return [
        str(run.profile.with_suffix(".safetensors"))
        for run in PARAMS.runs(experiment)
        if run.seed == first
    ]


def reports(subject):
    """Everything for reading about an experiment or a study."""
    return catalogue.report_files(PARAMS.experiments.get(subject, subject), subject)


def everything(experiment):
    """Everything that is made of an experiment, each file by name, so that one that is deleted is noticed."""
    return [
        *trained(experiment),
        *profile_files(experiment),
        *array_files(experiment),
        *map(str, reports(experiment)),
    ]


def in_report(subject):
    """The same, with what `snakemake --report` shows marked: tables, figures and the page."""
    known = PARAMS.experiments.get(subject, subject)
    shown = catalogue.shown_in_report(known, subject)
    return [
        marked(file, subject, shown[file]) if file in shown else str(file)
        for file in catalogue.report_files(known, subject)
    ]


def marked(file, subject, shown):
    """One file, marked with what it shows."""
    return report(
        str(file),
        caption=str(ROOT / f"workflow/report/{shown.kind}.rst"),
        category=shown.category,
        subcategory=subject,
        labels={
            shown.kind.removesuffix("s"): file.stem.replace("_", " "),
            "shows": shown.about,
        },
    )


def report_identity(subject):
    """What the code of a report means, asked only if its job is looked at."""
    return lambda wildcards: runs.report_identity(PARAMS, subject)


def part_identity(part):
    """What the code of a part of a study means, asked only if its job is looked at."""
    return lambda wildcards: runs.part_identity(part)


# Paths relative to the working directory, because absolute ones in Snakemake's metadata would not survive a clone.
CLAIMS = [os.path.relpath(file) for file in catalogue.claim_files()]
