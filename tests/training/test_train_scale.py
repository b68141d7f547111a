import csv
import dataclasses
import json
import shutil
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file

from lowparam import runs
from lowparam.errors import LowparamError
from lowparam.models.layers import compiled
from lowparam.params import Run, run_spec
from lowparam.training import checkpoint, loop
from lowparam.training import train_scale as module
from quick import make_params


@pytest.fixture
def place(tmp_path, data_folder):
    """Where to train, and a way to do it."""
    place = SimpleNamespace(data=data_folder, work=tmp_path / "work", results=tmp_path / "results", epochs=[])

    def train(params=None, scale=0, again=False):
        params = params or make_params()
        module.train_scale(
            params,
            params.scales("quick")[scale],
            data_folder=place.data,
            work=place.work,
            results=place.results,
            device="cpu",
            again=again,
        )

    place.train = train
    return place


@pytest.fixture
def trained(monkeypatch):
    """The seeds of all epochs that are trained, in order."""
    seeds, run_epoch = [], loop.Training.run_epoch

    def counted(self):
        seeds.append(self.seed)
        return run_epoch(self)

    monkeypatch.setattr(loop.Training, "run_epoch", counted)
    return seeds


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_finished_seed_says_what_it_is_and_leaves_no_work_behind(place, capsys):
    params = make_params()
    place.train(params)
    for seed in (0, 1):
        folder = place.results / f"seed{seed}"
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics["status"] == "untrained" and metrics["diverged_at_step"] is None
        assert metrics["spec"] == run_spec(params, Run(params.scales("quick")[0], seed))
        assert abs(metrics["parameters"]["total"] - 5000) <= 100
        assert metrics["parameters"]["total"] == metrics["parameters"]["body"] + metrics["parameters"]["head"]
        assert all(0 <= metrics[split]["accuracy"] <= 1 for split in ("train", "validation", "test"))
        weights = load_file(folder / "model.safetensors")
        assert (
            sum(w.numel() for name, w in weights.items() if not name.endswith(("mean", "var", "tracked")))
            == (metrics["parameters"]["total"])
        )
        rows = list(csv.DictReader((folder / "history.csv").open()))
        assert [row["epoch"] for row in rows] == ["1", "2", "3"]
        assert float(rows[-1]["validation_accuracy"]) == metrics["validation"]["accuracy"]
    assert not list(place.work.rglob("seed*"))
    assert capsys.readouterr().out.count("validation accuracy") == 6


def test_what_a_kill_left_of_a_file_that_was_being_published_is_removed(place):
    (place.results / "seed0").mkdir(parents=True)
    (place.results / "seed0/.metrics.4711.json").write_text('{"status": "fini')
    place.train()
    assert sorted(file.name for file in (place.results / "seed0").iterdir()) == sorted(runs.FILES)


def test_a_seed_that_is_added_or_deleted_is_the_only_one_trained(place, trained):
    place.train()
    before, trained[:] = contents(place.results), []
    place.train(make_params(seeds=(0, 1, 2)))
    assert trained == [2, 2, 2]
    trained.clear()
    shutil.rmtree(place.results / "seed0")
    place.train(make_params(seeds=(0, 1, 2)))
    assert trained == [0, 0, 0]
    assert {name: content for name, content in contents(place.results).items() if "seed2" not in str(name)} == before


def test_what_is_trained_is_kept_unless_it_is_asked_for_again_and_gives_the_same_bytes(place, trained, capsys):
    place.train()
    before, trained[:] = contents(place.results), []
    place.train()
    assert trained == []
    assert "mobilenetv1-none-5k: all seeds are trained" in capsys.readouterr().out
    assert contents(place.results) == before
    place.train(again=True)
    assert trained == [0, 0, 0, 1, 1, 1]
    assert contents(place.results) == before


@pytest.mark.parametrize("change", ["recipe", "code", "data"])
def test_results_of_another_recipe_code_or_data_are_made_again(place, trained, monkeypatch, change):
    place.train()
    trained.clear()
    params = make_params(lr=0.02) if change == "recipe" else make_params()
    if change == "code":
        monkeypatch.setattr(runs, "code_of_training", lambda *_: "another")
    if change == "data":
        load = module.data.load
        monkeypatch.setattr(module.data, "load", lambda folder: dataclasses.replace(load(folder), sha256="another"))
    place.train(params)
    assert trained == [0, 0, 0, 1, 1, 1]


def test_work_survives_results_that_the_workflow_deletes(place, trained, monkeypatch):
    """Snakemake deletes the outputs of a job that failed, the finished ones too."""
    monkeypatch.setattr(module.SeedRun, "publish", _fail_for_seed_1(module.SeedRun.publish))
    with pytest.raises(KeyboardInterrupt):
        place.train()
    shutil.rmtree(place.results)
    monkeypatch.undo()
    before = len(trained)
    place.train()
    assert len(trained) == before  # nothing is trained again
    assert (place.results / "seed0/metrics.json").exists() and (place.results / "seed1/metrics.json").exists()


@pytest.mark.parametrize("architecture", ["mobilenetv3", "convnext"])
@pytest.mark.parametrize("layers", ["compiled", "of torch"])
def test_with_and_without_compiled_layers_a_training_resumes_to_the_same_bytes(
    place, trained, monkeypatch, layers, architecture
):
    """Which of them trained is in metrics.json, but is no part of the identity: neither trains what the other has."""
    if layers == "of torch":
        monkeypatch.setattr(compiled, "loaded", lambda: None)
    elif compiled.loaded() is None:
        pytest.skip("the compiled layers are switched off, or not built: lowparam build")
    params = make_params(seeds=(0,), architectures=(architecture,))
    place.train(params)
    expected = contents(place.results)
    named = json.loads((place.results / "seed0/metrics.json").read_text())["compiled_layers"]
    assert (named is not None) == (layers == "compiled")
    shutil.rmtree(place.results)
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            place.train(params)
    place.train(params)
    assert contents(place.results) == expected
    before = len(trained)
    monkeypatch.setattr(compiled, "loaded", lambda: "of another source")
    place.train(params)
    assert len(trained) == before


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop", "lamb"])
def test_every_optimiser_goes_on_from_a_checkpoint_to_the_same_bytes(place, monkeypatch, optimizer):
    """With layers that draw random numbers and the penalty."""
    params = make_params(
        seeds=(0,),
        architectures=("mobilenetv2",),
        optimizer=optimizer,
        lr=1e-3,
        dropout=0.2,
        drop_path=0.2,
        penalties={"incoherence": 0.1},
    )
    place.train(params)
    expected = contents(place.results)
    shutil.rmtree(place.results)
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        place.train(params)
    monkeypatch.undo()
    place.train(params)
    assert contents(place.results) == expected


def _fail_for_seed_1(publish):
    def failing(self):
        if self.spec["seed"] == 1:
            raise KeyboardInterrupt
        publish(self)

    return failing


@pytest.mark.parametrize("file", ["model.safetensors", "metrics.json"])
def test_a_flipped_byte_in_a_published_file_is_found(place, trained, capsys, file):
    place.train()
    trained.clear()
    before = contents(place.results)
    flip(place.results / "seed1" / file, 0)
    capsys.readouterr()
    place.train()
    assert trained == [1, 1, 1]
    assert contents(place.results) == before
    if file == "model.safetensors":
        assert f"{place.results / 'seed1' / file} is damaged; training the run again" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["flipped", "truncated"])
def test_a_damaged_checkpoint_is_named_and_the_seed_starts_again(place, trained, monkeypatch, capsys, damage):
    place.train()
    expected = contents(place.results)
    shutil.rmtree(place.results)
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        place.train()
    monkeypatch.undo()
    (checkpoint,) = place.work.rglob("checkpoint-*")
    if damage == "flipped":
        flip(checkpoint, 2000)
    else:
        checkpoint.write_bytes(checkpoint.read_bytes()[:3000])
    capsys.readouterr()
    place.train()
    assert f"{checkpoint} is damaged" in capsys.readouterr().out
    assert contents(place.results) == expected


def test_a_checkpoint_of_another_recipe_is_not_used(place, monkeypatch):
    place.train(make_params(lr=0.02))
    expected = contents(place.results)
    shutil.rmtree(place.results)
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        place.train()
    monkeypatch.undo()
    place.train(make_params(lr=0.02))
    assert contents(place.results) == expected


def test_damaged_data_is_named_before_anything_is_touched(place, tmp_path, data_folder):
    place.train()
    before = contents(place.results)
    place.data = shutil.copytree(data_folder, tmp_path / "data")
    flip(place.data / "images.safetensors", 5000)
    with pytest.raises(LowparamError, match=r"images\.safetensors is not the file its manifest describes"):
        place.train()
    assert contents(place.results) == before


def test_a_run_that_diverges_is_recorded_and_the_next_goes_on(place, trained, monkeypatch):
    load = loop.Training.__init__

    def poisoned(self, net, *arguments, seed, **options):
        load(self, net, *arguments, seed=seed, **options)
        if seed == 0:
            self.net.classifier.bias.data[0] = float("inf")

    monkeypatch.setattr(loop.Training, "__init__", poisoned)
    place.train()
    diverged, other = (json.loads((place.results / f"seed{seed}/metrics.json").read_text()) for seed in (0, 1))
    assert (diverged["status"], diverged["diverged_at_step"]) == ("diverged", 0)
    assert diverged["test"] == {"loss": None, "accuracy": None}
    assert other["diverged_at_step"] is None and other["test"]["accuracy"] > 0
    assert (place.results / "seed0/history.csv").read_text().splitlines()[1].split(",")[2] == ""
    assert trained == [0, 1, 1, 1]


def test_a_network_that_learned_hardly_anything_is_untrained_and_keeps_its_numbers(place):
    place.train(make_params(seeds=[0], lr=1e-8))
    metrics = json.loads((place.results / "seed0/metrics.json").read_text())
    assert metrics["status"] == "untrained"
    assert metrics["largest_class_share"] == pytest.approx(0.105)
    assert 0 < metrics["train"]["accuracy"] <= 0.205 and metrics["test"]["accuracy"] > 0


def test_a_network_that_learned_something_is_finished(place):
    place.train(make_params(seeds=[0], epochs=8, batch_size=16, lr=0.03, augment={}))
    metrics = json.loads((place.results / "seed0/metrics.json").read_text())
    assert metrics["status"] == "finished" and metrics["train"]["accuracy"] > 0.5


def test_augmentation_for_folders_is_refused_by_name(place):
    params = make_params(augment={"rand_augment": "rand-m9-mstd0.5"})
    with pytest.raises(LowparamError, match=r"recipes\.quick\.augment\.rand_augment is for images that are streamed"):
        place.train(params)


def test_initial_weights_follow_from_the_seed_whatever_ran_before(place, trained, monkeypatch):
    """The second seed of a job starts from the same weights as in a job of its own."""
    place.train()
    together = contents(place.results / "seed1")
    shutil.rmtree(place.results)
    place.train(make_params(seeds=(1,)))
    assert contents(place.results / "seed1") == together


def flip(file, position):
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def stop_after(monkeypatch, epochs):
    save, count = checkpoint.save, 0

    def stopping(*arguments):
        nonlocal count
        save(*arguments)
        count += 1
        if count == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", stopping)
