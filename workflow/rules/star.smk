# The second paper without images: implicit dimensions and the two moons.

STAR = "results/star"
STAR_REPORT = [
    *table_files("star", contents.STAR_TABLES),
    *figure_files("star", contents.STAR_FIGURES),
]
STAR_PRINTED = [*STAR_REPORT, *claim_files("star")]


rule star_dimension:
    input:
        code=code("star_dimension"),
        lock=LOCK,
    output:
        dimension=f"{STAR}/dimension.csv",
        growth=f"{STAR}/growth.csv",
    log:
        "logs/star/dimension.log",
    benchmark:
        f"{STAR}/benchmarks/dimension.tsv"
    threads: 1
    params:
        settings=PARAMS.star.model_dump(
            include={"dimensions", "layers", "growth_limit"}
        ),
    shell:
        "lowparam star dimension > {log} 2>&1"


rule star_moons:
    input:
        code=code("star_moons"),
        lock=LOCK,
    output:
        results=f"{STAR}/moons.csv",
        grid=f"{STAR}/moons_grid.safetensors",
    log:
        "logs/star/moons.log",
    benchmark:
        f"{STAR}/benchmarks/moons.tsv"
    threads: 1
    params:
        settings=PARAMS.star.model_dump(
            include={"placements", "seeds", "grid_step", "fresh_points"}
        ),
    shell:
        "lowparam star moons > {log} 2>&1"


rule star_report:
    input:
        code=code("star_report"),
        dimension=rules.star_dimension.output,
        moons=rules.star_moons.output,
    output:
        shown(STAR_REPORT),
    log:
        "logs/star/report.log",
    benchmark:
        f"{STAR}/benchmarks/report.tsv"
    shell:
        "lowparam star report > {log} 2>&1"


rule star:
    input:
        STAR_PRINTED,
        f"{STAR}/report.html",


for experiment in filter(bilinear_files, PARAMS.experiments):

    rule:
        name:
            f"bilinear_{experiment}"
        input:
            code=sorted({*code("bilinear"), *code("star_report")}),
            data=data_files(PARAMS.experiment(experiment).data),
            lock=LOCK,
            runs=[
                str(run.folder / file)
                for run in PARAMS.runs(experiment)
                if contents.is_bilinear(run.scale.architecture)
                for file in ("metrics.json", "model.safetensors")
            ],
        output:
            shown(bilinear_files(experiment)),
        log:
            f"logs/{experiment}/bilinear.log",
        benchmark:
            f"results/{experiment}/benchmarks/report/bilinear.tsv"
        threads: 1
        params:
            experiment=experiment,
        shell:
            "lowparam bilinear {params.experiment} > {log} 2>&1"
