# The pipeline: params.yaml -> data -> training -> interference -> claims, tables and figures.
#
#   lowparam run -n                  what would run
#   lowparam run                     everything that params.yaml lists under `replicate`
#   lowparam run fashion_mnist       one experiment, by its name; the same as --config experiment=fashion_mnist
#   lowparam run runs --config experiment=fashion_mnist    only its trainings; `profiles` adds the profiles, and
#                                    `choices` is only the tuning before them
#
# `lowparam run` prepares the folder (docs/run.md) and calls snakemake with the same arguments; plain snakemake stops with
# one line if that is needed.

from snakemake.utils import min_version

min_version("9.27")


# The image of apptainer.def. Inert unless snakemake runs with --sdm apptainer; the environment is otherwise the one that
# runs snakemake.
container: "lowparam.sif"


# The first page of `snakemake --report report.html`.
report: "workflow/report/start.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/profile.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/studies.smk"


onstart:
    rate_limit.remove(workflow)


rule all:
    default_target: True
    input:
        [everything(experiment) for experiment in CHOSEN],


rule choices:
    input:
        [choices(experiment) for experiment in CHOSEN],


rule runs:
    input:
        [trained(experiment) for experiment in CHOSEN],


rule profiles:
    input:
        [profile_files(experiment) + array_files(experiment) for experiment in CHOSEN],
