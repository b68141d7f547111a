# From finished runs to one table, and from it to verdicts, tables, figures and the page: the rule of each experiment has its
# name, and is also what `snakemake <experiment>` runs.


# Here and not in the Snakefile, which every recorded stage depends on.
include: "deploy.smk"


rule collect:
    input:
        runs=lambda wildcards: run_files(wildcards.experiment, "metrics.json"),
        profiles=lambda wildcards: profile_files(wildcards.experiment),
        deployment=lambda wildcards: deployment_files(wildcards.experiment),
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
        "lowparam collect {wildcards.experiment} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"


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
        "lowparam bilinear {wildcards.experiment} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"


for experiment, chosen in PARAMS.experiments.items():

    rule:
        name:
            experiment
        input:
            trained(experiment),
            profile_files(experiment),
            array_files(experiment),
            deployment_files(experiment),
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
            "lowparam report {params.name} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"


# Not part of `all`: it is about every experiment that was judged, and belongs to no one's record.
rule overview:
    input:
        [str(paths.claims(experiment)) for experiment in PARAMS.replicate],
    output:
        [str(paths.OVERVIEW), str(paths.OVERVIEW_FIGURE)],
    log:
        "logs/overview.log",
    params:
        identity=lambda wildcards: runs.overview_identity(PARAMS),
    shell:
        "lowparam overview > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"
