# What needs no grid of trainings: the parts that each study declares, its tables and figures, its verdicts.
# Rules that come out: <study>_<part>, <study>_report, <study> for each study; bilinear_<experiment>.

def study_report(study):
    """The tables and figures of a study."""
    return [*table_files(study), *figure_files(study)]


def study_printed(study):
    """Everything of a study that is made for reading, but its page."""
    verdicts = claim_files(study) if studies.find(study).judged else []
    return [*study_report(study), *verdicts]


def study_page(study):
    """The page of a study that claims are judged on."""
    return [f"results/{study}/report.html"] if studies.find(study).judged else []


for part in studies.parts():

    rule:
        name:
            f"{part.study}_{part.name}"
        input:
            code=code(part.target),
            lock=LOCK,
        output:
            [str(file) for file in part.outputs],
        log:
            f"logs/{part.study}/{part.name}.log",
        benchmark:
            f"results/{part.study}/benchmarks/{part.name}.tsv"
        threads: 1
        params:
            settings=part.spec(PARAMS),
            study=part.study,
            part=part.name,
        shell:
            "lowparam study {params.study} {params.part} > {log} 2>&1"


for study in studies.names():

    rule:
        name:
            f"{study}_report"
        input:
            code=report_code(f"{study}_report", study, tables=OWN, figures=OWN),
            results=[str(file) for file in studies.find(study).outputs],
        output:
            study_report(study),
        log:
            f"logs/{study}/report.log",
        benchmark:
            f"results/{study}/benchmarks/report.tsv"
        params:
            study=study,
        shell:
            "lowparam study-report {params.study} > {log} 2>&1"

    rule:
        name:
            study
        input:
            study_printed(study),
            study_page(study),


for experiment in filter(bilinear_files, PARAMS.experiments):

    rule:
        name:
            f"bilinear_{experiment}"
        input:
            code=code("bilinear"),
            data=data_files(PARAMS.experiment(experiment).data),
            lock=LOCK,
            runs=[
                str(run.folder / file)
                for run in PARAMS.runs(experiment)
                if catalogue.is_bilinear(run.scale.architecture)
                for file in ("metrics.json", "model.safetensors")
            ],
        output:
            bilinear_files(experiment),
        log:
            f"logs/{experiment}/bilinear.log",
        benchmark:
            f"results/{experiment}/benchmarks/report/bilinear.tsv"
        threads: 1
        params:
            experiment=experiment,
        shell:
            "lowparam bilinear {params.experiment} > {log} 2>&1"
