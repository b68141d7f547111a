# One job profiles all runs of an architecture with a probe: a profile takes less time than a process start. There is one
# rule for each grid of budgets and seeds in params.yaml.

for number, ((sizes, seeds), names) in enumerate(
    grouped(
        lambda experiment: (tuple(experiment.sizes), tuple(experiment.seeds))
    ).items()
):
    folders = [
        paths.profiles(
            "{experiment}", f"{{architecture}}-{{probe}}-{parameters.format_size(size)}"
        )
        for size in sizes
    ]

    rule:
        name:
            f"profile_{number}"
        input:
            data=lambda wildcards: data_files(wildcards.experiment),
            runs=lambda wildcards: [
                str(run.folder / file)
                for run in runs_of(family(wildcards))
                for file in ("metrics.json", "model.safetensors")
            ],
        output:
            [str(folder / f"seed{seed}.csv") for folder in folders for seed in seeds],
            [str(folder / f"seed{seeds[0]}.safetensors") for folder in folders],
        log:
            "logs/{experiment}/profile/{architecture}-{probe}.log",
        benchmark:
            str(paths.benchmarks("{experiment}") / "profile/{architecture}-{probe}.tsv")
        wildcard_constraints:
            experiment=any_of(names),
            architecture="[^/-]+",
            probe="[^/-]+",
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: (
                attempt * memory_mb(wildcards.experiment, names_of(family(wildcards)))
            ),
            # A profile takes about a tenth of the time of the training.
            runtime=lambda wildcards, attempt: (
                attempt
                * minutes(wildcards.experiment, names_of(family(wildcards)), share=0.2)
            ),
            gpu=GPUS,
        params:
            identity=lambda wildcards: runs.profile_identity(
                PARAMS, family(wildcards)[0]
            ),
            scales=lambda wildcards: " ".join(names_of(family(wildcards))),
        shell:
            "lowparam profile {wildcards.experiment} {params.scales} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"
