"""Experiments of any size whose runs take no time: copies of one real run, with the settings of the others.

Everything else is real: Snakemake, DVC, and all commands of lowparam but `train` and `profile`.
"""

import json
import random
import shutil
from pathlib import Path

from lowparam import params as parameters
from lowparam.params import Params, run_spec
from workspace import Workspace, small_params, stand_before

COMMAND = """\
#!/bin/sh
# Stands before the real command on the PATH.
verb=$1 experiment=$2
case $verb in
  train | profile)
    echo "$@" >> {calls}
    [ $verb = train ] && part=runs || part=profiles
    mkdir -p results/$experiment/$part
    shift 2
    for scale in "$@"; do cp -r {made}/$experiment/$part/$scale results/$experiment/$part/; done ;;
  *) exec {real} "$@" ;;
esac
"""


def grid(runs: int) -> dict:
    """Settings of a grid of so many runs, a multiple of 300 or of 30 below that; at most 50 networks to check."""
    params = small_params()
    sizes, variants = min(10, runs // 30), max(1, runs // 300)
    params["experiments"]["digits"] |= {
        "architectures": ["mobilenetv1", "mobilenetv2", "mobilenext", "nodepth_a", "convnext"],
        "probes": ["none", "solu_s1"],
        "budgets": [10_000 + 5_000 * step for step in range(sizes)],
        "seeds": [0, 1, 2],
        "variants": {f"v{number}": {"lr": 0.01 + number / 1000} for number in range(variants)},
    }
    if variants == 1:
        del params["experiments"]["digits"]["variants"]
    return params


def simulate(finished: Workspace, folder: Path, params: dict) -> Workspace:
    """Make a workspace in `folder` whose runs of the experiment `digits` will be copies of one that is finished."""
    folder.mkdir(exist_ok=True)
    workspace = Workspace.of_this_repository(folder / "w")
    workspace.write(params)
    made = folder / "made"
    stand_before(workspace, COMMAND, made=made, calls=folder / "calls")
    copy_runs(finished, made, parameters.load(workspace.folder / "params.yaml"))
    return workspace


def copy_runs(finished: Workspace, made: Path, params: Params) -> None:
    """Write what `train` and `profile` will make."""
    template = finished.folder / "results/digits"
    metrics = json.loads((template / "runs/mobilenetv1-none-10k/seed0/metrics.json").read_text())
    draw = random.Random(0)
    for run in params.runs("digits"):
        folder = made / run.folder.relative_to("results")
        shutil.copytree(template / "runs/mobilenetv1-none-10k/seed0", folder)
        part = dict(metrics["test"], accuracy=draw.uniform(0.8, 0.9))
        size = {"total": run.scale.budget, "body": run.scale.budget - 500, "head": 500}
        own = {"spec": run_spec(params, run), "parameters": size, "test": part}
        (folder / "metrics.json").write_text(json.dumps(metrics | own))
        profile = made / run.profile.relative_to("results")
        profile.parent.mkdir(parents=True, exist_ok=True)
        for file in (template / "profiles/mobilenetv1-none-10k").glob(f"seed{min(run.seed, 1)}.*"):
            shutil.copy(file, profile.with_suffix(file.suffix))
