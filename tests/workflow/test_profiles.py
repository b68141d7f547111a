"""profiles/slurm stands in the place of profiles/default, so it must not forget what that one says."""

import yaml

from workspace import ROOT


def read(name: str) -> dict:
    return yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text(encoding="utf-8"))


def test_the_cluster_has_the_settings_of_one_machine_but_shows_why_a_job_failed():
    default, slurm = read("default"), read("slurm")
    differs = {key for key in default if slurm.get(key) != default[key]}
    assert differs == {"quiet"}
    assert "rules" not in slurm["quiet"]
