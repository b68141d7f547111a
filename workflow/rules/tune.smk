# One job chooses the recipe values of an architecture with a probe, by validation accuracy. Trials that are finished stay
# in the work folder, so a job that was stopped, or whose list got longer, trains only what is missing. There is one
# rule for each number of trials, so that the name of a finished job tells how much was done. The output is flagged
# `update`, so that a choice that is current is kept.

tuned = grouped(lambda experiment: experiment.tune.trials if experiment.tune else 0)

for trials, names in tuned.items():
    if not trials:
        continue

    rule:
        name:
            f"tune_{trials}"
        input:
            data=lambda wildcards: (
                checked(wildcards.experiment),
                data_files(wildcards.experiment),
            )[1],
        output:
            update(str(paths.tuning("{experiment}", "{family}"))),
        log:
            "logs/{experiment}/tune/{family}.log",
        benchmark:
            str(paths.benchmarks("{experiment}") / "tune/{family}.tsv")
        wildcard_constraints:
            experiment=any_of(names),
            family="[^/]+",
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: (
                attempt
                * memory_mb(wildcards.experiment, [tuned_scale(wildcards).tuning_job])
            ),
            # Twice the listed values: lists are extended, and choices checked at the largest budget.
            runtime=lambda wildcards, attempt: (
                attempt
                * minutes(
                    wildcards.experiment,
                    [tuned_scale(wildcards).tuning_job],
                    share=2.0,
                )
            ),
            gpu=GPUS,
        params:
            identity=lambda wildcards: runs.tuning_identity(
                PARAMS, tuned_scale(wildcards)
            ),
        shell:
            "lowparam tune {wildcards.experiment} {wildcards.family} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"
