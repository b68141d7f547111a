# What needs no grid of trainings. Each study declares its parts, and the catalogue its tables and figures.
# Rules that come out for each study: <study>_<part>, tables_<study>, figures_<study> and <study>; if claims are judged
# on it, also claims_<study>, page_<study> and <study>_claims. For each experiment with star blocks that are bilinear:
# bilinear_<experiment>.


def study_printed(study):
    """Everything of a study that is made for reading, but its page."""
    verdicts = claim_files(study) if studies.find(study).judged else []
    return [*table_files(study), *figure_files(study), *verdicts]


def study_page(study):
    """The page of a study that claims are judged on."""
    return [f"results/{study}/report.html"] if studies.find(study).judged else []


for part in studies.parts():

    rule:
        name:
            f"{part.study}_{part.name}"
        output:
            [str(file) for file in part.outputs],
        log:
            f"logs/{part.study}/{part.name}.log",
        benchmark:
            f"results/{part.study}/benchmarks/{part.name}.tsv"
        threads: 1
        params:
            settings=part.spec(PARAMS),
            code=provenance.digest(part.target),
            torch=runs.torch_version(),
            study=part.study,
            part=part.name,
        shell:
            "lowparam study {params.study} {params.part} > {log} 2>&1"


for study in studies.names():

    rule:
        name:
            f"tables_{study}"
        input:
            code=report_code("tables", study, tables=OWN),
            results=[str(file) for file in studies.find(study).outputs],
        output:
            table_files(study),
        log:
            f"logs/{study}/tables.log",
        benchmark:
            f"results/{study}/benchmarks/tables.tsv"
        params:
            study=study,
        shell:
            "lowparam tables {params.study} > {log} 2>&1"

    rule:
        name:
            f"figures_{study}"
        input:
            code=report_code("figures", study, figures=OWN),
            results=[str(file) for file in studies.find(study).outputs],
        output:
            figure_files(study),
        log:
            f"logs/{study}/figures.log",
        benchmark:
            f"results/{study}/benchmarks/figures.tsv"
        params:
            study=study,
        shell:
            "lowparam figures {params.study} > {log} 2>&1"

    rule:
        name:
            study
        input:
            study_printed(study),
            study_page(study),


for study in [study for study in studies.names() if studies.find(study).judged]:

    rule:
        name:
            f"claims_{study}"
        input:
            code=report_code("claims", study, tables=VERDICTS, figures=VERDICTS),
            registry=CLAIMS,
            results=[f"results/{study}/{csv}.csv" for csv in studies.find(study).judged],
        output:
            claim_files(study),
        log:
            f"logs/{study}/claims.log",
        benchmark:
            f"results/{study}/benchmarks/claims.tsv"
        params:
            study=study,
        shell:
            "lowparam claims {params.study} > {log} 2>&1"

    rule:
        name:
            f"page_{study}"
        input:
            code=report_code("page", study, tables=BOTH, figures=BOTH),
            registry=CLAIMS,
            template=TEMPLATE,
            results=[f"results/{study}/{csv}.csv" for csv in studies.find(study).judged],
            printed=[file for file in study_printed(study) if file.endswith(READ)],
        output:
            in_report(f"results/{study}/report.html"),
        log:
            f"logs/{study}/page.log",
        benchmark:
            f"results/{study}/benchmarks/page.tsv"
        params:
            study=study,
        shell:
            "lowparam page {params.study} > {log} 2>&1"

    rule:
        name:
            f"{study}_claims"
        input:
            study_printed(study),
            study_page(study),


def bilinear_runs(experiment):
    """The runs of an experiment whose star blocks are decomposed into eigenvectors."""
    return [
        run
        for run in PARAMS.runs(experiment)
        if catalogue.is_bilinear(run.scale.architecture)
    ]


def bilinear_code(experiment):
    """The identity of the code of the decomposition, and of the networks that it reads."""
    networks = {
        target
        for run in bilinear_runs(experiment)
        for target in provenance.of_network(run.scale.architecture, run.scale.probe)
    }
    return provenance.digest(provenance.ENTRIES["bilinear"], *sorted(networks))


for experiment in filter(bilinear_files, PARAMS.experiments):

    rule:
        name:
            f"bilinear_{experiment}"
        input:
            data=data_files(PARAMS.experiment(experiment).data),
            runs=[
                str(run.folder / file)
                for run in bilinear_runs(experiment)
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
            code=bilinear_code(experiment),
            torch=runs.torch_version(),
            experiment=experiment,
        shell:
            "lowparam bilinear {params.experiment} > {log} 2>&1"
