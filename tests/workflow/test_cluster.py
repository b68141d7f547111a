"""What is requested from a cluster (docs/cluster.md), without one."""

import json
import re

import yaml

from workspace import ROOT, Workspace


def read(name: str) -> dict:
    return yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text(encoding="utf-8"))


def test_the_cluster_has_the_settings_of_one_machine_but_shows_why_a_job_failed():
    default, slurm = read("default"), read("slurm")
    differs = {key for key in default if slurm.get(key) != default[key]}
    assert differs == {"quiet"}
    assert "rules" not in slurm["quiet"]


def asked(workspace: Workspace, rule: str, *options: str) -> list[dict[str, int]]:
    """Resources that the jobs of a rule request, from a dry run."""
    forced = ("--dry-run", "--quiet", "host", "--forcerun", rule, *options, "--", "runs", "profiles")
    blocks = workspace.snakemake(*forced).split(f"\nrule {rule}:\n")[1:]
    lines = [re.search(r"resources: (.*)", block).group(1) for block in blocks]
    return [{name: int(value) for name, value in re.findall(r"(\w+)=(\d+)(?=,|$)", line)} for line in lines]


def test_a_training_asks_for_a_quarter_more_memory_and_twice_the_time_of_its_prediction(workspace):
    unknown = asked(workspace, "train_0_1")
    assert {(job["mem_mb"], job["runtime"]) for job in unknown} == {(4000, 5 + 4 * 60)}

    workspace.run("lowparam", "plan", "digits")
    path = workspace.folder / ".lowparam/plans/digits.json"
    plan = json.loads(path.read_text())
    for prediction in plan.values():
        prediction |= {"seconds": 600, "memory_mb": 1000}
    path.write_text(json.dumps(plan))
    known = asked(workspace, "train_0_1", "--config", "gpus=1")
    assert len(known) == len(unknown) == len(plan)
    assert {(job["mem_mb"], job["runtime"], job["gpu"]) for job in known} == {(1250, 5 + 2 * 10, 1)}
    # Profiles: the largest of the scales, and a fifth of their time.
    assert {(job["mem_mb"], job["runtime"]) for job in asked(workspace, "profile_0")} == {(1250, 5 + 4)}


def test_a_prediction_is_not_used_after_the_recipe_changed(workspace):
    workspace.run("lowparam", "plan", "digits")
    params = workspace.read()
    params["recipes"]["digits"]["epochs"] = 4
    workspace.write(params)
    assert {job["mem_mb"] for job in asked(workspace, "train_0_1")} == {4000}
