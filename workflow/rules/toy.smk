# Models whose superposition is known: what the measures of interference are calibrated on.

TOY = "results/toy"
TOY_PARTS = {
    "geometry": ["shapes", "grams", "sweep", "sweep_features"],
    "phase": ["phase"],
    "absolute": ["absolute"],
}

for part, files in TOY_PARTS.items():

    rule:
        name:
            f"toy_{part}"
        input:
            code=code("toy"),
            lock=LOCK,
        output:
            [f"{TOY}/{file}.csv" for file in files],
        log:
            f"logs/toy/{part}.log",
        benchmark:
            f"{TOY}/benchmarks/{part}.tsv"
        threads: 1
        params:
            settings=PARAMS.toy.model_dump(),
            part=part,
        shell:
            "lowparam toy {params.part} > {log} 2>&1"


rule toy_report:
    input:
        code=code("toy_report"),
        results=[f"{TOY}/{file}.csv" for files in TOY_PARTS.values() for file in files],
    output:
        shown(
            [
                *table_files("toy", contents.TOY_TABLES),
                *figure_files("toy", contents.TOY_FIGURES),
            ]
        ),
    log:
        "logs/toy/report.log",
    benchmark:
        f"{TOY}/benchmarks/report.tsv"
    shell:
        "lowparam toy report > {log} 2>&1"


rule toy:
    input:
        rules.toy_report.output,
