rule prepare:
    input:
        code=lambda wildcards: code(
            "prepare", source=PARAMS.data[wildcards.data].source
        ),
    output:
        images="results/data/{data}/images.safetensors",
        manifest="results/data/{data}/manifest.json",
    log:
        "logs/data/{data}.log",
    benchmark:
        "logs/data/{data}.tsv"
    params:
        data=lambda wildcards: PARAMS.data[wildcards.data].model_dump(),
    shell:
        "lowparam prepare {wildcards.data} > {log} 2>&1"


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
        "results/{experiment}/benchmarks/baseline.tsv"
    shell:
        "lowparam baseline {wildcards.experiment} > {log} 2>&1"
