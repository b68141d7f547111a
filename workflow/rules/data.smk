# A data set is stored as arrays, or as the list of its files if images are read from disk while training. Outputs are
# flagged `update`, so that images stay until they are replaced, and for good if they are as params.yaml describes them.

for on_disk in (False, True):

    rule:
        name:
            "prepare_files" if on_disk else "prepare"
        output:
            update([str(file) for file in paths.prepared("{data}", on_disk)]),
            # Where files are on this machine is no input of anything: images that move are still the same.
            update([str(paths.location("{data}"))] if on_disk else []),
        log:
            "logs/data/{data}.log",
        benchmark:
            "logs/data/{data}.tsv"
        wildcard_constraints:
            data=any_of(n for n, data in PARAMS.data.items() if data.stream == on_disk),
        params:
            identity=lambda wildcards: prepared_data.rule_identity(
                PARAMS, wildcards.data
            ),
        shell:
            "lowparam prepare {wildcards.data} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"


rule baseline:
    input:
        data=lambda wildcards: data_files(wildcards.experiment),
    output:
        str(paths.baseline("{experiment}")),
    log:
        "logs/{experiment}/baseline.log",
    benchmark:
        str(paths.benchmarks("{experiment}") / "train/baseline.tsv")
    params:
        identity=lambda wildcards: runs.baseline_identity(PARAMS, wildcards.experiment),
    shell:
        "lowparam baseline {wildcards.experiment} > {log} 2>&1 || {{ tail -n 1 {log} >&2; exit 1; }}"
