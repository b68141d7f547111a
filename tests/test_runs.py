"""A run's identity is what it means, and there is one answer to what state it is in."""

import json
import shutil

import pytest

from lowparam import paths, runs
from lowparam.params import Recipe, Run
from lowparam.training.train_scale import seed_runs, train_scale
from quick import make_params
from trained_run import save_digits

SCALE = make_params().scales("quick")[0]
RUN = Run(SCALE, 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which a scale is trained, as the workflow would."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_digits(paths.data("digits"), train=200, validation=50, test=50)
        train_scale(make_params(), SCALE, data_folder=paths.data("digits"))
    return folder


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    """A copy, to change."""
    shutil.copytree(trained, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")


def edit(change, file=RUN.folder / "metrics.json", *, sealed=True):
    metrics = json.loads(file.read_text())
    change(metrics)
    file.write_text(json.dumps(runs.seal(metrics) if sealed else metrics))


def is_trained(params=None):
    jobs = seed_runs(
        params or make_params(),
        SCALE,
        json.loads(paths.manifest("digits").read_text())["sha256"],
        work=paths.unfinished("quick", SCALE.name),
        results=None,
    )
    return all(job.is_published() for job in jobs)


def test_a_scale_is_trained_when_every_seed_is_complete_and_current(here):
    assert is_trained()
    assert set(runs.states(make_params(), "quick").values()) == {"untrained"}
    assert not is_trained(make_params(lr=0.5))
    assert set(runs.states(make_params(lr=0.5), "quick").values()) == {"stale"}
    assert not is_trained(make_params(seeds=[0, 1, 2]))
    assert list(runs.states(make_params(seeds=[0, 1, 2]), "quick").values()) == ["untrained", "untrained", "missing"]


@pytest.mark.parametrize("name", ["torch", "data_sha256", "code_sha256"])
def test_runs_made_with_something_else_are_stale(here, name):
    edit(lambda metrics: metrics["made_with"].update({name: "another"}))
    assert not is_trained()
    assert runs.state(make_params(), RUN) == "stale"


def test_another_version_of_lowparam_makes_nothing_stale(here):
    edit(lambda metrics: metrics.update(lowparam="99.0"))
    assert is_trained()


def test_a_missing_or_damaged_file_does_not_count(here):
    weights = RUN.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not is_trained()
    weights.unlink()
    assert not is_trained()


def test_an_edited_history_or_metrics_file_does_not_count(here):
    history = RUN.folder / "history.csv"
    history.write_text(history.read_text().replace("1", "2", 1))
    assert not is_trained()


def test_an_edited_accuracy_makes_a_run_stale(here):
    edit(lambda metrics: metrics["test"].update(accuracy=1.0), sealed=False)
    assert not is_trained()
    assert runs.state(make_params(), RUN) == "stale"


def test_a_diverged_run_is_of_its_settings_too(here):
    edit(lambda metrics: metrics.update(status="diverged"))
    assert runs.state(make_params(), RUN) == "diverged"


def test_without_data_the_settings_code_and_torch_decide(here):
    shutil.rmtree("results/data")
    assert runs.state(make_params(), RUN) == "untrained"


def test_metrics_of_an_older_format_are_stale(here):
    edit(lambda metrics: metrics.pop("made_with"))
    assert runs.state(make_params(), RUN) == "stale"


def test_a_run_that_is_being_trained_is_running(here):
    work = paths.unfinished("quick", SCALE.name)
    (work / "seed1").mkdir(parents=True)
    assert runs.state(make_params(lr=0.5), RUN) == "stale"
    with runs.lock_of(work):
        assert runs.state(make_params(lr=0.5), RUN) == "running"
        assert runs.state(make_params(lr=0.5), Run(SCALE, 0)) == "stale"
        assert runs.state(make_params(), RUN) == "untrained"


def test_an_identity_leaves_out_what_equals_its_default():
    plain = runs.identity(make_params(), RUN)
    assert runs.identity(make_params(label_smoothing=0.0, precision="auto"), RUN) == plain
    assert "label_smoothing" not in plain["spec"]["recipe"] and "depth" not in plain["spec"]
    assert runs.identity(make_params(label_smoothing=0.1), RUN)["spec"]["recipe"]["label_smoothing"] == 0.1


def test_an_explicit_value_of_a_nested_section_is_kept_alone():
    spec = runs.identity(make_params(augment={"flip": True}), RUN)["spec"]
    assert spec["recipe"]["augment"] == {"flip": True}
    assert "augment" not in runs.identity(make_params(augment={}), RUN)["spec"]["recipe"]


def test_a_new_key_with_a_default_changes_nothing_and_a_changed_default_makes_runs_stale(here, monkeypatch):
    edit(lambda metrics: metrics["spec"]["recipe"].pop("clip_norm"))  # as recorded before there was such a key
    assert runs.state(make_params(), RUN) == "untrained"
    monkeypatch.setattr(Recipe.model_fields["label_smoothing"], "default", 0.1)
    assert runs.state(make_params(label_smoothing=0.1), RUN) == "stale"


def test_the_code_of_a_run_is_that_of_its_architecture_probe_loss_and_penalties():
    def code(architecture="mobilenetv1", **recipe):
        params = make_params(architectures=(architecture,), **recipe)
        return runs.code_of_training(params, params.scales("quick")[0])

    assert code() == code(lr=0.5)
    assert len({code(), code("mobilenetv2"), code(penalties={"incoherence": 0.1})}) == 3


def test_a_loss_without_a_value_is_null_in_what_is_sealed():
    metrics = {"status": "finished", "test": {"loss": float("nan"), "accuracy": 0.5}, "seconds": float("inf")}
    found = runs.seal(metrics)
    assert found["test"] == {"loss": None, "accuracy": 0.5} and found["seconds"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == runs.seal(found)
