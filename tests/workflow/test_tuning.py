"""Recipe values are chosen in the workflow, and training depends on the choice."""

import json
import shutil

import pytest

from lowparam import runs
from workspace import Workspace, await_that, kill, small_params

CLEAN = "Data and pipelines are up to date."
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


def finished_trials(workspace: Workspace) -> set[str]:
    """Return the trials that are whole, as ``mobilenetv1-none/10k-lr0.01``."""
    work = workspace.folder / ".lowparam/tuning/digits"
    return {str(file.parents[1].relative_to(work)) for file in work.glob("*/*/seed100/metrics.json")}


def test_a_kill_in_the_middle_of_tuning_repeats_no_finished_trial_and_changes_no_choice(workspace):
    before = workspace.contents("tuning/*.json")
    for folder in ("results/digits/tuning", ".lowparam/tuning"):
        shutil.rmtree(workspace.folder / folder)
    process = workspace.start("lowparam", "run", "choices", "--cores", "1")
    assert await_that(lambda: bool(finished_trials(workspace)), process)
    kill(process)
    assert workspace.contents("tuning/*.json") == {}, "the choice needs more than one trial"
    whole = finished_trials(workspace)
    workspace.snakemake("choices")
    for trial in whole:
        family, _, values = trial.partition("/")
        log = (workspace.folder / f"logs/digits/tune/{family}.log").read_text()
        assert f"{values} seed" not in log, "a finished trial was trained again"
        assert "epoch" in log
    assert workspace.contents("tuning/*.json") == before
    assert workspace.jobs("runs") == {}, "the same choice trains nothing"


def spoil(workspace: Workspace) -> None:
    """Let the values that were chosen for mobilenetv1 do worse than all others, and forget the choice."""
    (lr,) = json.loads((workspace.folder / CHOICE).read_text())["chosen"].values()
    trial = workspace.folder / f".lowparam/tuning/digits/mobilenetv1-none/10k-lr{lr}/seed100/metrics.json"
    metrics = json.loads(trial.read_text())
    metrics["validation"]["accuracy"] = 0.0
    trial.write_text(json.dumps(runs.seal(metrics)))
    (workspace.folder / CHOICE).unlink()


@pytest.fixture(scope="module")
def recorded(tuned, tmp_path_factory) -> Workspace:
    """The tuned experiment, recorded by DVC, pushed and committed."""
    folder = tmp_path_factory.mktemp("recorded_tuned")
    workspace = tuned.copy(folder / "w")
    workspace.run("lowparam", "dvc-files")
    workspace.run("dvc", "repro")
    workspace.run("dvc", "remote", "add", "--default", "storage", str(folder / "storage"))
    workspace.run("dvc", "push", "--quiet")
    workspace.commit()
    return workspace


@pytest.mark.slow
def test_dvc_records_the_choice_as_a_stage_of_its_own(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
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
    assert CLEAN in workspace.run("dvc", "status")


@pytest.mark.slow
def test_repro_after_another_choice_for_one_architecture_trains_its_runs_and_no_others(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
    before = workspace.contents("runs/**/*")
    spoil(workspace)
    workspace.run("dvc", "repro")
    changed = {path for path, content in workspace.contents("runs/**/*").items() if content != before[path]}
    assert {path.split("/")[1] for path in changed} == {"mobilenetv1-none-10k"}
    assert CLEAN in workspace.run("dvc", "status")
    assert workspace.jobs() == {}


@pytest.mark.slow
def test_a_clone_with_pulled_results_has_nothing_to_tune(recorded, tmp_path):
    recorded.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Workspace(tmp_path / "clone")
    clone.run("dvc", "pull", "--quiet")
    assert CLEAN in clone.run("dvc", "status")
    assert clone.jobs() == {}
    assert clone.jobs("--forceall")["tune"] == 2
    (clone.folder / "results/digits/runs/mobilenetv1-none-10k/seed0/model.safetensors").unlink()
    jobs = clone.jobs()
    assert jobs["train"] == 1 and "tune" not in jobs, "a deleted run needs no trial"


@pytest.mark.slow
def test_an_experiment_apart_tunes_only_what_its_setting_belongs_to(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
    setting = "++experiments.digits.overrides={nodepth_a: {weight_decay: 0.5}}"
    output = workspace.run("dvc", "exp", "run", "--temp", "--name", "apart", "--set-param", setting)
    assert "Running stage 'tune'" in output
    workspace.run("dvc", "exp", "branch", "apart", "tuned_apart")
    changed = workspace.run("git", "diff", "--name-only", "main", "tuned_apart", "--", "results/digits/tuning")
    assert changed.split() == ["results/digits/tuning/nodepth_a-none.json"]
