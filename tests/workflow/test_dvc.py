"""Snakemake and DVC agree on what is done."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from workspace import Workspace

CLEAN = "Data and pipelines are up to date."


@pytest.fixture(scope="module")
def recorded(finished, tmp_path_factory) -> Workspace:
    """The finished grid, recorded by dvc repro and pushed to a remote, all committed."""
    folder = tmp_path_factory.mktemp("recorded")
    workspace = finished.copy(folder / "w")
    output = workspace.run("dvc", "repro")
    assert output.count("Nothing to be done") == 4, "dvc repro after snakemake must not make anything"
    workspace.run("dvc", "remote", "add", "--default", "storage", str(folder / "storage"))
    workspace.run("dvc", "push", "--quiet")
    workspace.commit()
    return workspace


def test_the_record_is_clean(recorded):
    assert CLEAN in recorded.run("dvc", "status")
    assert recorded.run("git", "status", "--porcelain") == ""


def test_dvc_knows_every_input_of_every_job(recorded):
    """An input that is no dependency of the stage would let `dvc repro` call old results up to date."""
    described = yaml.safe_load((recorded.folder / "dvc.yaml").read_text())["stages"]
    for stage, record in {
        "data": "results/data/digits/record.json",
        **{stage: f"results/digits/records/{stage}.json" for stage in ("train", "profile", "report")},
    }.items():
        known = [*described[stage]["deps"], *(path for out in described[stage]["outs"] for path in out)]
        for job in json.loads((recorded.folder / record).read_text()):
            unknown = [file for file in job["made"]["input"] if not any(Path(file).is_relative_to(k) for k in known)]
            assert unknown == [], f"{stage}: {job['made']['rule']}"


def test_tables_are_in_git_and_checkpoints_are_not(recorded):
    tracked = recorded.run("git", "ls-files", "results").split()
    assert "results/digits/tables/accuracy.tex" in tracked
    assert "results/digits/runs.csv" in tracked
    assert not [name for name in tracked if name.endswith(".safetensors")]


def test_a_clone_with_pulled_results_has_nothing_to_do(recorded, tmp_path):
    recorded.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Workspace(tmp_path / "clone")
    clone.run("dvc", "pull", "--quiet")
    assert CLEAN in clone.run("dvc", "status")
    assert clone.jobs() == {}
    assert clone.jobs("--forceall")["train_digits"] == 4
    for path in clone.folder.glob("results/**/*"):
        path.touch()
    assert clone.jobs() == {}


def test_repro_trains_only_what_a_parameter_belongs_to(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
    before = workspace.contents("runs/*/*/metrics.json")
    shutil.rmtree(workspace.folder / "logs")
    params = workspace.read()
    params["experiments"]["digits"]["overrides"] = {"mobilenetv1": {"lr": 0.01}}
    workspace.write(params)
    workspace.run("dvc", "repro")
    after = workspace.contents("runs/*/*/metrics.json")
    assert {path for path in after if after[path] != before[path]} == {path for path in after if "mobilenetv1" in path}
    assert sorted(path.stem for path in workspace.folder.glob("logs/digits/train/*.log")) == [
        "mobilenetv1-base-10k",
        "mobilenetv1-solu_s1-10k",
    ]
    assert CLEAN in workspace.run("dvc", "status")
    assert workspace.jobs() == {}


def test_a_damaged_table_is_noticed(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
    table = workspace.folder / "results/digits/tables/accuracy.tex"
    table.write_text(table.read_text() + "% changed by hand\n")
    assert "results/digits/tables" in workspace.run("dvc", "status")
