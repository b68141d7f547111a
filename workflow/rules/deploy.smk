# What a device needs for each run, in experiments with `deploy`. A job has all cores to itself, because it measures times.
# There is one rule for each list of seeds in params.yaml.


for seeds, names in grouped(
    lambda experiment: tuple(experiment.seeds) if experiment.deploy else ()
).items():
    if not seeds:
        continue

    rule:
        name:
            f"deploy_{'_'.join(map(str, seeds))}"
        input:
            data=lambda wildcards: data_files(wildcards.experiment),
            runs=lambda wildcards: [
                str(run.folder / file)
                for run in runs_of([scale_of(wildcards)])
                for file in ("metrics.json", "model.safetensors")
            ],
        output:
            [
                str(paths.deployment("{experiment}", "{scale}") / f"seed{seed}.json")
                for seed in seeds
            ],
        log:
            "logs/{experiment}/deploy/{scale}.log",
        benchmark:
            str(paths.benchmarks("{experiment}") / "deploy/{scale}.tsv")
        wildcard_constraints:
            experiment=any_of(names),
        threads: lambda wildcards: workflow.cores
        params:
            identity=lambda wildcards: runs.deploy_identity(PARAMS, scale_of(wildcards)),
        shell:
            "lowparam deploy {wildcards.experiment} {wildcards.scale} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"


rule deployments:
    input:
        [deployment_files(experiment) for experiment in CHOSEN],
