# One job trains all seeds of a scale, because a process start costs more than a second. Its outputs are flagged
# `update`, so a seed that is finished and still valid is kept when another seed is added or deleted.

for experiment, chosen in PARAMS.experiments.items():

    rule:
        name:
            f"train_{experiment}"
        input:
            data=data_files(chosen.data),
        output:
            update(
                expand(
                    "results/{{experiment}}/runs/{{scale}}/seed{seed}/{file}",
                    seed=chosen.seeds,
                    file=["metrics.json", "history.csv", "model.safetensors"],
                )
            ),
        log:
            "logs/{experiment}/train/{scale}.log",
        benchmark:
            "results/{experiment}/benchmarks/train/{scale}.tsv"
        wildcard_constraints:
            experiment=re.escape(experiment),
        # Images that are streamed are decoded by all cores.
        threads: workflow.cores if streams(experiment) else 1
        resources:
            mem_mb=lambda wildcards, attempt: (
                attempt * memory_mb(wildcards.experiment, [scale_of(wildcards)])
            ),
            runtime=lambda wildcards, attempt: (
                attempt * minutes(wildcards.experiment, [scale_of(wildcards)])
            ),
            gpu=GPUS,
        params:
            specs=lambda wildcards: specs([scale_of(wildcards)]),
        shell:
            "lowparam train {wildcards.experiment} {wildcards.scale} > {log} 2>&1"
