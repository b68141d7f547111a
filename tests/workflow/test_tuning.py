"""Recipe values are chosen in the workflow, and training depends on the choice."""

import json
import shutil

import pytest

from workspace import Workspace, small_params

CHOICE = "results/digits/tuning/mobilenetv1-none.json"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> Workspace:
    """Two architectures, tuned and trained, and nothing more."""
    workspace = Workspace.of_this_repository(tmp_path_factory.mktemp("tuned") / "w")
    params = small_params()
    params["experiments"]["digits"] |= {
        "probes": ["none"],
        "seeds": [0],
        "tune": {"lr": [0.01, 0.03], "budget": "10k", "seeds": [100], "epochs": 2},
    }
    workspace.write(params)
    workspace.snakemake("runs")
    return workspace


@pytest.fixture
def workspace(tuned, tmp_path) -> Workspace:
    return tuned.copy(tmp_path / "w")


def log(workspace: Workspace, architecture: str) -> str:
    return (workspace.folder / f"logs/digits/train/{architecture}-none-10k.log").read_text()


def test_training_uses_what_was_chosen_and_nothing_is_left_to_do(workspace):
    for architecture in ("mobilenetv1", "nodepth_a"):
        choice = json.loads((workspace.folder / f"results/digits/tuning/{architecture}-none.json").read_text())
        metrics = workspace.folder / f"results/digits/runs/{architecture}-none-10k/seed0/metrics.json"
        assert json.loads(metrics.read_text())["spec"]["recipe"]["lr"] == choice["chosen"]["lr"]
        assert {trial["seed"] for trial in choice["trials"]} == {100}
    assert workspace.jobs("runs") == {}
    assert "2/2" in workspace.run("lowparam", "status")


def test_a_deleted_choice_comes_back_without_a_training(workspace):
    before = (workspace.folder / CHOICE).read_bytes()
    (workspace.folder / CHOICE).unlink()
    assert workspace.jobs("runs") == {"tune": 1, "train": 1, "runs": 1}
    workspace.snakemake("runs")
    assert (workspace.folder / CHOICE).read_bytes() == before
    assert "all seeds are trained" in log(workspace, "mobilenetv1")
    assert "epoch" not in (workspace.folder / "logs/digits/tune/mobilenetv1-none.log").read_text()


def test_an_edited_choice_is_chosen_again(workspace):
    before = (workspace.folder / CHOICE).read_bytes()
    (workspace.folder / CHOICE).write_text(before.decode().replace('"lr": 0.0', '"lr": 0.9', 1))
    assert "type lowparam run" in workspace.run("snakemake", "runs", fails=True)
    workspace.snakemake("runs")
    assert (workspace.folder / CHOICE).read_bytes() == before
    assert workspace.jobs("runs") == {}


def test_another_recipe_of_one_architecture_tunes_and_trains_only_it(workspace):
    params = workspace.read()
    params["experiments"]["digits"]["overrides"] = {"nodepth_a": {"weight_decay": 0.5}}
    workspace.write(params)
    assert workspace.jobs("runs") == {"tune": 1, "train": 1, "runs": 1}
    shutil.rmtree(workspace.folder / "logs")
    workspace.snakemake("runs")
    assert "epoch 3/3" in log(workspace, "nodepth_a")
    assert not (workspace.folder / "logs/digits/train/mobilenetv1-none-10k.log").exists()


@pytest.mark.slow
def test_dvc_records_the_choice_as_a_stage_of_its_own(workspace):
    workspace.run("lowparam", "dvc-files")
    workspace.run("dvc", "repro")
    workspace.commit()
    assert (workspace.folder / "results/digits/tables/tuning.md").exists()
    assert CHOICE in workspace.run("git", "ls-files", "results"), "choices are small and in git"
    params = workspace.read()
    params["experiments"]["digits"]["tune"]["lr"] = [0.01, 0.03, 0.1]
    workspace.write(params)
    shutil.rmtree(workspace.folder / "logs")
    output = workspace.run("dvc", "repro")
    assert "Running stage 'tune'" in output
    trials = (workspace.folder / "logs/digits/tune/mobilenetv1-none.log").read_text()
    assert "lr0.1 " in trials and "lr0.01 " not in trials, "only the new value is tried"
    assert "Data and pipelines are up to date." in workspace.run("dvc", "status")
