# Every claim of the papers on the runs of an experiment: verdicts, tables, macros for running text, figures.

CLAIMS = here(ROOT / "workflow/claims.yaml")


for experiment in PARAMS.experiments:

    rule:
        name:
            f"claims_{experiment}"
        input:
            code=code("claims"),
            registry=CLAIMS,
            runs=f"results/{experiment}/runs.csv",
        output:
            **claim_files(experiment),
        log:
            f"logs/{experiment}/claims.log",
        benchmark:
            f"results/{experiment}/benchmarks/report/claims.tsv"
        params:
            experiment=experiment,
        shell:
            "lowparam claims {params.experiment} > {log} 2>&1"


rule claims_star:
    input:
        code=code("claims"),
        registry=CLAIMS,
        dimension=rules.star_dimension.output,
    output:
        **claim_files("star"),
    log:
        "logs/star/claims.log",
    benchmark:
        "results/star/benchmarks/claims.tsv"
    shell:
        "lowparam claims star > {log} 2>&1"
