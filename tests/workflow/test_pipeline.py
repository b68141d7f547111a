"""The whole chain on real digits: what comes out, and what runs again when something changes."""

import json
import re
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from scipy import stats

from lowparam import data
from lowparam.models import network_for
from workspace import Workspace, await_that, epochs, hold, listen, small_params


def test_runs_csv_has_a_row_for_each_run_of_the_grid(finished):
    runs = pd.read_csv(finished.folder / "results/digits/runs.csv")
    assert len(runs) == 2 * 2 * 1 * 2
    assert set(zip(runs["architecture"], runs["probe"], runs["seed"], strict=True)) == {
        (architecture, probe, seed)
        for architecture in ("mobilenetv1", "nodepth_a")
        for probe in ("none", "solu_s1")
        for seed in (0, 1)
    }
    assert (runs["parameters_total"] - 10_000).abs().max() <= 200
    assert (runs["parameters_body"] + runs["parameters_head"] == runs["parameters_total"]).all()


def test_networks_learn_digits(finished):
    runs = pd.read_csv(finished.folder / "results/digits/runs.csv")
    base = runs[runs["probe"] == "none"]
    assert base["test_accuracy"].min() > 0.8, "three epochs suffice for far more than the 10 % of guessing"


def test_reported_accuracy_is_that_of_the_stored_weights(finished):
    folder = finished.folder / "results/digits/runs/nodepth_a-none-10k/seed1"
    metrics = json.loads((folder / "metrics.json").read_text())
    dataset = data.load(finished.folder / "results/data/digits")
    net = network_for(metrics["spec"], classes=10, in_channels=1, size=8)
    net.load_state_dict(load_file(folder / "model.safetensors"))
    net.eval()
    with torch.no_grad():
        predicted = net(dataset.normalise(dataset.test.pixels)).argmax(1)
    assert metrics["test"]["accuracy"] == pytest.approx((predicted == dataset.test.labels).float().mean().item())


def test_tables_print_the_mean_and_the_interval_of_the_runs(finished):
    runs = pd.read_csv(finished.folder / "results/digits/runs.csv")
    chosen = runs[(runs["architecture"] == "mobilenetv1") & (runs["probe"] == "none")]["test_accuracy"]
    half = stats.t.ppf(0.975, len(chosen) - 1) * stats.sem(chosen)
    table = (finished.folder / "results/digits/tables/accuracy.md").read_text()
    printed = re.search(r"MobileNetV1 +\| own activation +\| +\**([\d.]+)\** ± ([\d.]+)", table)
    assert float(printed[1]) == pytest.approx(100 * chosen.mean(), abs=0.05)
    assert float(printed[2]) == pytest.approx(100 * half, abs=0.05)


def test_table_of_gaps_is_paired_by_seed(finished):
    runs = pd.read_csv(finished.folder / "results/digits/runs.csv").set_index(["architecture", "probe", "seed"])
    accuracy = runs["test_accuracy"]
    gaps = [accuracy["nodepth_a", "none", s] - accuracy["nodepth_a", "solu_s1", s] for s in (0, 1)]
    table = pd.read_csv(finished.folder / "results/digits/tables/solu_gap.csv").set_index("architecture")
    assert table.loc["nodepth_a", "mean"] == pytest.approx(100 * np.mean(gaps), rel=1e-4)


def test_figures_are_whole_files(finished):
    for name, content in finished.contents("figures/*").items():
        assert content.startswith(b"%PDF" if name.endswith(".pdf") else b"\x89PNG"), name
        assert len(content) > 5_000, name


def test_nothing_is_left_to_do_and_that_is_not_for_want_of_jobs(finished):
    assert finished.jobs() == {}
    assert finished.jobs("--forceall")["train"] == 4


def test_no_path_of_this_machine_is_in_results_or_metadata(finished):
    needle = str(finished.folder).encode()
    places = [*finished.folder.glob("results/**/*"), *finished.folder.glob(".snakemake/metadata/**/*")]
    assert places
    assert [path for path in places if path.is_file() and needle in path.read_bytes()] == []


def test_a_learning_rate_of_one_architecture_trains_its_runs_and_no_others(workspace):
    before = workspace.contents("runs/*/*/model.safetensors")
    params = workspace.read()
    params["experiments"]["digits"]["overrides"] = {"nodepth_a": {"lr": 0.01}}
    workspace.write(params)
    assert workspace.jobs()["train"] == 2
    workspace.snakemake()
    after = workspace.contents("runs/*/*/model.safetensors")
    changed = {path for path in after if after[path] != before[path]}
    assert changed == {path for path in after if "nodepth_a" in path}
    assert workspace.jobs() == {}


def test_a_comment_or_another_way_to_write_a_number_runs_nothing(workspace):
    path = workspace.folder / "recipes.yaml"
    text = path.read_text().replace("lr: 0.02", "lr: 0.020")
    assert "0.020" in text
    path.write_text("# a remark\n" + text)
    assert workspace.jobs() == {}


def test_a_new_seed_trains_only_itself(workspace):
    before = workspace.contents("runs/*/seed[01]/*")
    params = workspace.read()
    params["experiments"]["digits"]["seeds"] = [0, 1, 2]
    params["experiments"]["digits"]["architectures"] = ["mobilenetv1"]
    workspace.write(params)
    workspace.snakemake()
    assert workspace.trained("mobilenetv1-none-10k") == {2}
    assert before.items() <= workspace.contents("runs/*/*/*").items()


def test_a_deleted_checkpoint_comes_back_with_the_same_bits_and_alone(workspace):
    path = workspace.folder / "results/digits/runs/mobilenetv1-none-10k/seed1/model.safetensors"
    before = path.read_bytes()
    path.unlink()
    assert workspace.jobs()["train"] == 1
    workspace.snakemake()
    assert path.read_bytes() == before
    assert workspace.trained("mobilenetv1-none-10k") == {1}


def test_the_code_of_one_architecture_trains_its_runs_and_no_others(workspace):
    block = workspace.folder / "workflow/lowparam/models/blocks/nodepth.py"
    text = block.read_text()
    changed = text.replace("return self.scale(", "return 2 * self.scale(")
    assert changed != text
    block.write_text(changed)
    assert {rule: count for rule, count in workspace.jobs().items() if rule != "all"} == {
        "train": 2,
        "profile": 2,
        "collect": 1,
        "digits": 1,
    }


def test_a_new_architecture_trains_only_itself(workspace):
    params = workspace.read()
    params["experiments"]["digits"]["architectures"] = ["mobilenetv1", "mobilenetv2", "nodepth_a"]
    workspace.write(params)
    jobs = workspace.jobs()
    assert (jobs["train"], jobs["profile"]) == (2, 2)


def test_the_code_of_the_tables_trains_nothing(workspace):
    code = workspace.folder / "workflow/lowparam/report/tables/accuracy.py"
    code.write_text(code.read_text().replace("digits=1", "digits=2"))
    jobs = workspace.jobs()
    assert jobs["digits"] == 1
    assert not {"train", "profile"} & set(jobs)


def test_a_forced_rerun_trains_again_and_gives_the_same_bytes(workspace, monkeypatch):
    before = workspace.repeatable("**/*")
    monkeypatch.setenv("LOWPARAM_AGAIN", "1")
    workspace.snakemake("--forceall")
    assert workspace.trained("nodepth_a-solu_s1-10k") == set(), "what is trained is kept, unless asked for again"
    listen(workspace)
    workspace.snakemake("--forceall", "--config", "again=1")
    runs = {
        path.removeprefix("runs/").removesuffix("/metrics.json") for path in workspace.contents("runs/*/*/metrics.json")
    }
    assert Counter(epochs(workspace)) == dict.fromkeys(runs, 3), "each run once"
    after = workspace.repeatable("**/*")
    assert {path for path in after if after[path] != before[path]} == set()


def test_results_that_snakemake_puts_back_after_a_failure_are_still_out_of_date(workspace):
    before = workspace.contents("runs/mobilenetv1-none-10k/*/metrics.json")
    block = workspace.folder / "workflow/lowparam/models/blocks/mobilenetv1.py"
    block.write_text(block.read_text().replace("return self.pointwise(", "return 2 * self.pointwise("))
    in_the_way = workspace.folder / ".lowparam/runs/digits/mobilenetv1-none-10k/seed1"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    said = workspace.snakemake("runs", fails=True)
    assert "lowparam: cannot write" in said
    assert workspace.contents("runs/mobilenetv1-none-10k/*/metrics.json") == before, "put back"
    in_the_way.unlink()
    assert workspace.jobs("runs")["train"] == 1
    workspace.snakemake("runs")
    assert workspace.trained("mobilenetv1-none-10k") == {1}, "seed 0 had been trained before the failure"
    after = workspace.contents("runs/mobilenetv1-none-10k/*/metrics.json")
    assert all(json.loads(after[path])["made_with"] != json.loads(before[path])["made_with"] for path in before)


def test_data_prepared_again_with_the_same_bytes_train_nothing(workspace):
    before = workspace.contents("runs/**/*")
    code = workspace.folder / "workflow/lowparam/data/prepare.py"
    code.write_text(
        code.read_text().replace("source = find_source(name, data)", "source = find_source(str(name), data)")
    )
    assert workspace.jobs()["prepare"] == 1
    workspace.snakemake()
    for scale in ("mobilenetv1-none-10k", "nodepth_a-solu_s1-10k"):
        assert workspace.trained(scale) == set()
    assert workspace.contents("runs/**/*") == before
    assert workspace.jobs() == {}


def test_another_version_of_a_library_that_changes_no_result_runs_nothing(workspace):
    lock = workspace.folder / "requirements.lock"
    lock.write_text(lock.read_text().replace("seaborn==", "seaborn==99."))
    assert workspace.jobs() == {}


def test_runs_of_other_settings_are_refused_and_no_table_changes(workspace):
    run = workspace.folder / "results/digits/runs/mobilenetv1-none-10k/seed0/metrics.json"
    metrics = json.loads(run.read_text())
    metrics["spec"]["recipe"]["lr"] = 0.5
    run.write_text(json.dumps(metrics))
    tables = workspace.contents("tables/*")
    output = workspace.run("lowparam", "collect", "digits", fails=True)
    assert output.count("\n") == 1
    assert "mobilenetv1-none-10k/seed0" in output
    assert "recipe.lr = 0.5" in output
    assert "0.02" in output
    assert workspace.contents("tables/*") == tables


def test_plain_snakemake_refuses_them_and_lowparam_run_makes_them_again(workspace):
    run = workspace.folder / "results/digits/runs/mobilenetv1-none-10k/seed0/metrics.json"
    runs, written, tables = (
        workspace.contents("runs/**/*"),
        workspace.contents("tables/*"),
        workspace.repeatable("tables/*"),
    )
    run.write_text(run.read_text().replace('"lr": 0.02', '"lr": 0.5'))
    assert workspace.contents("runs/**/*") != runs
    output = workspace.run("snakemake", fails=True)
    assert "type lowparam run with the same arguments" in output
    assert workspace.contents("tables/*") == written
    assert workspace.jobs()["train"] == 1
    workspace.snakemake()
    assert workspace.contents("runs/**/*") == runs
    assert workspace.repeatable("tables/*") == tables
    assert workspace.jobs() == {}


def test_a_second_start_beside_a_running_one_is_refused(workspace):
    (workspace.folder / "results/digits/runs.csv").unlink()
    train = workspace.folder / "results/digits/runs/mobilenetv1-none-10k"
    shutil.rmtree(train)
    held, released = hold(workspace)
    first = workspace.start("snakemake", "--cores", "1")
    try:
        assert await_that(held.exists, first)
        assert "Directory cannot be locked" in workspace.snakemake(fails=True)
        assert workspace.jobs(), "a dry run may look"
    finally:
        released.touch()
        output, _ = first.communicate()
        assert first.returncode == 0, output
    assert workspace.jobs() == {}


def test_the_workflow_runs_in_another_folder_with_settings_of_its_own(finished, tmp_path):
    before = sorted(path for path in finished.folder.rglob("*") if ".git" not in path.parts)
    settings = small_params()
    settings["experiments"]["digits"]["seeds"] = [7]
    elsewhere = Workspace(tmp_path)
    elsewhere.write(settings)
    run = "results/digits/runs/nodepth_a-none-10k/seed7"
    finished.snakemake("--directory", str(tmp_path), f"{run}/metrics.json")
    assert json.loads((tmp_path / run / "metrics.json").read_text())["spec"]["seed"] == 7
    assert sorted(path for path in finished.folder.rglob("*") if ".git" not in path.parts) == before


def test_touching_every_file_runs_nothing(workspace):
    for path in workspace.folder.glob("results/**/*"):
        path.touch()
    assert workspace.jobs() == {}
