# One job profiles all runs of an architecture with an probe: a profile is shorter than a process start.

for experiment, chosen in PARAMS.experiments.items():

    rule:
        name:
            f"profile_{experiment}"
        input:
            data=data_files(chosen.data),
            runs=lambda wildcards: [
                str(run.folder / file)
                for run in runs_of(family(wildcards))
                for file in ("metrics.json", "model.safetensors")
            ],
        output:
            expand(
                "results/{{experiment}}/profiles/{{architecture}}-{{probe}}-{budget}/seed{seed}.csv",
                budget=[parameters.format_size(size) for size in chosen.sizes],
                seed=chosen.seeds,
            ),
            expand(
                "results/{{experiment}}/profiles/{{architecture}}-{{probe}}-{budget}/seed{seed}.safetensors",
                budget=[parameters.format_size(size) for size in chosen.sizes],
                seed=chosen.seeds[:1],
            ),
        log:
            "logs/{experiment}/profile/{architecture}-{probe}.log",
        benchmark:
            "results/{experiment}/benchmarks/profile/{architecture}-{probe}.tsv"
        wildcard_constraints:
            experiment=re.escape(experiment),
            architecture="[^/-]+",
            probe="[^/-]+",
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: (
                attempt * memory_mb(wildcards.experiment, family(wildcards))
            ),
            # A profile takes about a tenth of the time of the training.
            runtime=lambda wildcards, attempt: (
                attempt * minutes(wildcards.experiment, family(wildcards), share=0.2)
            ),
            gpu=GPUS,
        params:
            profile=lambda wildcards: runs.profile_identity(
                PARAMS, family(wildcards)[0]
            ),
            scales=lambda wildcards: " ".join(scale.name for scale in family(wildcards)),
        shell:
            "lowparam profile {wildcards.experiment} {params.scales} > {log} 2>&1"
