# One job chooses the recipe values of an architecture with a probe, by validation accuracy. Trials that are finished stay
# in the work folder, so a job that was stopped, or whose list got longer, trains only what is missing.


rule tune:
    input:
        data=lambda wildcards: (
            checked(wildcards.experiment),
            data_files(wildcards.experiment),
        )[1],
    output:
        str(paths.tuning("{experiment}", "{family}")),
    log:
        "logs/{experiment}/tune/{family}.log",
    benchmark:
        str(paths.benchmarks("{experiment}") / "tune/{family}.tsv")
    wildcard_constraints:
        experiment=any_of(n for n, chosen in PARAMS.experiments.items() if chosen.tune),
        family="[^/]+",
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: (
            attempt * memory_mb(wildcards.experiment, [f"{wildcards.family} (tuning)"])
        ),
        # Twice the listed values: lists are extended, and choices checked at the largest budget.
        runtime=lambda wildcards, attempt: (
            attempt
            * minutes(
                wildcards.experiment, [f"{wildcards.family} (tuning)"], share=2.0
            )
        ),
        gpu=GPUS,
    params:
        identity=lambda wildcards: runs.tuning_identity(PARAMS, tuned_scale(wildcards)),
    shell:
        "lowparam tune {wildcards.experiment} {wildcards.family} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"
