rule collect:
    input:
        code=code("collect"),
        runs=lambda wildcards: run_files(wildcards.experiment, "metrics.json"),
        profiles=lambda wildcards: profile_files(wildcards.experiment),
    output:
        runs="results/{experiment}/runs.csv",
        metrics="results/{experiment}/metrics.json",
    log:
        "logs/{experiment}/collect.log",
    benchmark:
        "results/{experiment}/benchmarks/report/collect.tsv"
    params:
        specs=lambda wildcards: digest(specs(PARAMS.scales(wildcards.experiment))),
    shell:
        "lowparam collect {wildcards.experiment} > {log} 2>&1"


for experiment in PARAMS.experiments:

    rule:
        name:
            f"tables_{experiment}"
        input:
            code=report_code("tables", experiment, tables=OWN),
            runs=f"results/{experiment}/runs.csv",
            bilinear=bilinear_files(experiment),
            baseline=f"results/{experiment}/baseline.json",
        output:
            table_files(experiment),
        log:
            f"logs/{experiment}/tables.log",
        benchmark:
            f"results/{experiment}/benchmarks/report/tables.tsv"
        params:
            experiment=experiment,
        shell:
            "lowparam tables {params.experiment} > {log} 2>&1"

    rule:
        name:
            f"figures_{experiment}"
        input:
            code=report_code("figures", experiment, figures=OWN),
            runs=f"results/{experiment}/runs.csv",
            baseline=f"results/{experiment}/baseline.json",
            profiles=profile_files(experiment),
            arrays=array_files(experiment),
        output:
            figure_files(experiment),
        log:
            f"logs/{experiment}/figures.log",
        benchmark:
            f"results/{experiment}/benchmarks/report/figures.tsv"
        params:
            experiment=experiment,
        shell:
            "lowparam figures {params.experiment} > {log} 2>&1"
