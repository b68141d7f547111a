# From finished runs to one table, and from it to verdicts, tables, figures and the page: the rule of each experiment has its
# name, and is also what `snakemake <experiment>` runs.


rule collect:
    input:
        runs=lambda wildcards: run_files(wildcards.experiment, "metrics.json"),
        profiles=lambda wildcards: profile_files(wildcards.experiment),
    output:
        str(paths.runs_table("{experiment}")),
        str(paths.metrics("{experiment}")),
    log:
        "logs/{experiment}/collect.log",
    benchmark:
        str(paths.benchmarks("{experiment}") / "report/collect.tsv")
    params:
        identity=lambda wildcards: runs.collect_identity(PARAMS, wildcards.experiment),
    shell:
        "lowparam collect {wildcards.experiment}" + LOGGED


rule bilinear:
    input:
        data=lambda wildcards: data_files(wildcards.experiment),
        runs=lambda wildcards: [
            str(run.folder / file)
            for run in PARAMS.runs(wildcards.experiment)
            if catalogue.is_bilinear(run.scale.architecture)
            for file in ("metrics.json", "model.safetensors")
        ],
    output:
        [str(file) for file in paths.bilinear("{experiment}")],
    log:
        "logs/{experiment}/bilinear.log",
    benchmark:
        str(paths.benchmarks("{experiment}") / "report/bilinear.tsv")
    threads: 1
    params:
        identity=lambda wildcards: runs.bilinear_identity(PARAMS, wildcards.experiment),
    shell:
        "lowparam bilinear {wildcards.experiment}" + LOGGED


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


# Paths relative to the working directory, because absolute ones in Snakemake's metadata would not survive a clone.
CLAIMS = [os.path.relpath(file) for file in catalogue.claim_files()]

for experiment, chosen in PARAMS.experiments.items():

    rule:
        name:
            experiment
        input:
            trained(experiment),
            profile_files(experiment),
            array_files(experiment),
            CLAIMS,
            table=str(paths.runs_table(experiment)),
            bilinear=[
                str(file)
                for file in paths.bilinear(experiment)
                if catalogue.has_bilinear_blocks(chosen)
            ],
        output:
            in_report(experiment),
        log:
            f"logs/{experiment}/report.log",
        benchmark:
            str(paths.benchmarks(experiment) / "report/report.tsv")
        params:
            identity=report_identity(experiment),
            name=experiment,
        shell:
            "lowparam report {params.name}" + LOGGED


# Not part of `all`: it is about every experiment that was judged, and belongs to no one's record.
rule overview:
    input:
        [str(paths.claims(experiment)) for experiment in PARAMS.replicate],
    output:
        str(paths.OVERVIEW),
    log:
        "logs/overview.log",
    params:
        identity=runs.overview_identity(PARAMS),
    shell:
        "lowparam overview" + LOGGED
