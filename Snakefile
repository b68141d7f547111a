# The whole pipeline: params.yaml -> data -> training -> interference -> tables and figures.
#
#   snakemake -n          what would run
#   snakemake             everything that params.yaml lists under `replicate`
#   snakemake digits      one experiment
#   snakemake digits_runs digits_profiles    parts of it

import os
import re
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


# The image of apptainer.def. Inert unless snakemake runs with --sdm apptainer; the environment is otherwise the one that
# runs snakemake.
container: "lowparam.sif"


# The first page of `snakemake --report report.html`.
report: "workflow/report/start.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/interference.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/studies.smk"


onstart:
    # A training that was ordered is done again; one that something else starts keeps what is valid. Said by a variable,
    # which `lowparam train` takes for its option --again, because Snakemake runs jobs again whose commands change.
    flags = workflow.dag_settings
    ordered = {*flags.forcerun, *(flags.targets if flags.forcetargets else ())}
    if flags.forceall or any(re.search("^train_|/runs/", name) for name in ordered):
        os.environ.update(LOWPARAM_AGAIN="1")


onerror:
    # The quiet output of profiles/default hides the logs of failed jobs; the last line of each says what was wrong.
    for failed in sorted(
        set(re.findall(r"> (logs/\S+) 2>&1' returned", Path(log[0]).read_text()))
    ):
        print(*Path(failed).read_text().splitlines()[-1:], file=sys.stderr)


rule all:
    default_target: True
    input:
        [targets(experiment) for experiment in PARAMS.replicate],


for experiment in PARAMS.experiments:

    rule:
        name:
            experiment
        input:
            targets(experiment),

    rule:
        name:
            f"{experiment}_runs"
        input:
            trained(experiment),

    rule:
        name:
            f"{experiment}_profiles"
        input:
            profile_files(experiment) + array_files(experiment),
