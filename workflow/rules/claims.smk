# Every claim of the papers on the runs of an experiment: verdicts, tables, macros for running text, figures, the page.

CLAIMS = here(ROOT / "workflow/claims.yaml")
READ = (".csv", ".png")  # what the page is made of
TEMPLATE = here(provenance.PACKAGE / "report/pages/templates/report.html")


for experiment in PARAMS.experiments:

    rule:
        name:
            f"claims_{experiment}"
        input:
            code=report_code("claims", experiment, tables=VERDICTS, figures=VERDICTS),
            registry=CLAIMS,
            runs=f"results/{experiment}/runs.csv",
        output:
            claim_files(experiment),
        log:
            f"logs/{experiment}/claims.log",
        benchmark:
            f"results/{experiment}/benchmarks/report/claims.tsv"
        params:
            experiment=experiment,
        shell:
            "lowparam claims {params.experiment} > {log} 2>&1"

    rule:
        name:
            f"page_{experiment}"
        input:
            code=report_code("page", experiment, tables=BOTH, figures=BOTH),
            registry=CLAIMS,
            template=TEMPLATE,
            runs=f"results/{experiment}/runs.csv",
            baseline=f"results/{experiment}/baseline.json",
            bilinear=bilinear_files(experiment),
            printed=[file for file in printed(experiment) if file.endswith(READ)],
        output:
            in_report(f"results/{experiment}/report.html"),
        log:
            f"logs/{experiment}/page.log",
        benchmark:
            f"results/{experiment}/benchmarks/report/page.tsv"
        params:
            experiment=experiment,
        shell:
            "lowparam page {params.experiment} > {log} 2>&1"

    rule:
        name:
            f"{experiment}_claims"
        input:
            printed(experiment),
