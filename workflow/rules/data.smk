# One rule a data set, because what is stored depends on it: arrays, or the list of files of a streamed one.

for name, chosen in PARAMS.data.items():

    rule:
        name:
            f"prepare_{name}"
        input:
            code=code("prepare", *provenance.of_source(chosen.source)),
        output:
            data_files(name),
            location_file(name),
        log:
            f"logs/data/{name}.log",
        benchmark:
            f"logs/data/{name}.tsv"
        params:
            # Where images lie that were read once makes no difference; training has to find those that are streamed.
            data=chosen.model_dump(
                exclude_defaults=True, exclude=set() if chosen.stream else {"path"}
            ),
            name=name,
        shell:
            "lowparam prepare {params.name} > {log} 2>&1"


rule baseline:
    input:
        code=code("baseline"),
        data=lambda wildcards: data_files(PARAMS.experiment(wildcards.experiment).data),
        lock=LOCK,
    output:
        "results/{experiment}/baseline.json",
    log:
        "logs/{experiment}/baseline.log",
    benchmark:
        "results/{experiment}/benchmarks/train/baseline.tsv"
    shell:
        "lowparam baseline {wildcards.experiment} > {log} 2>&1"
