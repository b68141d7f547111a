# One job trains all seeds of a scale, because a process start costs more than a second. Its outputs are flagged
# `update`, so a seed that is finished and still current is kept when another seed is added or deleted. There is one rule
# for each list of seeds in params.yaml.

for seeds, names in grouped(lambda experiment: tuple(experiment.seeds)).items():

    rule:
        name:
            f"train_{'_'.join(map(str, seeds))}"
        input:
            data=lambda wildcards: (
                checked(wildcards.experiment),
                data_files(wildcards.experiment),
            )[1],
            choice=choice_of,
        output:
            update(
                [
                    str(paths.run("{experiment}", "{scale}", seed) / file)
                    for seed in seeds
                    for file in ("metrics.json", "history.csv", "model.safetensors")
                ]
            ),
        log:
            "logs/{experiment}/train/{scale}.log",
        benchmark:
            str(paths.benchmarks("{experiment}") / "train/{scale}.tsv")
        wildcard_constraints:
            experiment=any_of(names),
        # Images that stay on disk are decoded by all cores.
        threads: cores
        resources:
            mem_mb=lambda wildcards, attempt: (
                attempt * memory_mb(wildcards.experiment, [wildcards.scale])
            ),
            runtime=lambda wildcards, attempt: (
                attempt * minutes(wildcards.experiment, [wildcards.scale])
            ),
            gpu=GPUS,
        params:
            identity=lambda wildcards: runs.job_identity(PARAMS, scale_of(wildcards)),
        shell:
            "lowparam train {wildcards.experiment} {wildcards.scale} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"
