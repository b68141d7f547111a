# What needs no grid of trainings: one rule for each part that a study declares, and one named like the study for everything
# that is read about it.

for part in studies.parts():

    rule:
        name:
            f"{part.study}_{part.name}"
        output:
            [str(file) for file in part.outputs],
        log:
            f"logs/{part.study}/{part.name}.log",
        benchmark:
            str(paths.benchmarks(part.study) / f"{part.name}.tsv")
        threads: 1
        params:
            settings=part.spec(PARAMS),
            identity=part_identity(part),
            study=part.study,
            part=part.name,
        shell:
            "lowparam study {params.study} {params.part} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"


for study in studies.names():

    rule:
        name:
            study
        input:
            [str(file) for file in studies.find(study).outputs],
            CLAIMS if catalogue.is_judged(study) else [],
        output:
            in_report(study),
        log:
            f"logs/{study}/report.log",
        benchmark:
            str(paths.benchmarks(study) / "report.tsv")
        params:
            identity=report_identity(study),
            study=study,
        shell:
            "lowparam report {params.study} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"
