"""Snakemake and DVC agree on what is done."""

import json
import random
import shutil
from pathlib import Path

import pytest
import yaml

from workspace import ROOT, Workspace, epochs, listen, small_params, stand_before

CLEAN = "Data and pipelines are up to date."


@pytest.fixture(scope="module")
def newer(recorded, tmp_path_factory) -> Workspace:
    """The next revision: another learning rate for one architecture, trained and recorded by dvc repro."""
    workspace = recorded.copy(tmp_path_factory.mktemp("newer") / "w")
    shutil.rmtree(workspace.folder / "logs")
    params = workspace.read()
    params["experiments"]["digits"]["overrides"] = {"mobilenetv1": {"lr": 0.01}}
    workspace.write(params)
    workspace.run("dvc", "repro")
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
        known = [*described[stage].get("deps", []), *(path for out in described[stage]["outs"] for path in out)]
        for job in json.loads((recorded.folder / record).read_text()):
            unknown = [file for file in job["made"]["input"] if not any(Path(file).is_relative_to(k) for k in known)]
            assert unknown == [], f"{stage}: {job['made']['rule']}"


def test_tables_are_in_git_and_checkpoints_are_not(recorded):
    tracked = recorded.run("git", "ls-files", "results").split()
    assert "results/digits/tables/accuracy.tex" in tracked
    assert "results/digits/runs.csv" in tracked
    assert not [name for name in tracked if name.endswith(".safetensors")]
    # Of the figures, git has the pictures that Markdown shows, and DVC all.
    assert "results/digits/shown/accuracy.png" in tracked
    assert {Path(name).parent.name for name in tracked if name.endswith((".png", ".pdf"))} == {"shown"}
    assert (recorded.folder / "results/digits/figures/accuracy.pdf").exists()


def test_a_clone_with_pulled_results_has_nothing_to_do(recorded, tmp_path):
    recorded.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Workspace(tmp_path / "clone")
    clone.run("dvc", "pull", "--quiet")
    assert CLEAN in clone.run("dvc", "status")
    assert clone.jobs() == {}
    assert clone.jobs("--forceall")["train"] == 4
    tracked = [clone.folder / name for name in clone.run("git", "ls-files").splitlines()]
    files = [*tracked, *(path for path in clone.folder.glob("results/**/*") if path.is_file())]
    random.Random(0).shuffle(files)
    for path in files:
        path.touch()
    assert clone.jobs() == {}
    (clone.folder / "results/digits/runs/mobilenetv1-none-10k/seed1/model.safetensors").unlink()
    assert clone.jobs()["train"] == 1


def test_plain_snakemake_reads_only_and_refuses_results_that_came_by_dvc(recorded, tmp_path):
    recorded.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Workspace(tmp_path / "clone")
    clone.run("dvc", "pull", "--quiet")
    output = clone.run("snakemake", "--dry-run", fails=True)
    assert "type lowparam run with the same arguments instead of snakemake" in output and "Traceback" not in output
    assert not [*clone.folder.glob(".snakemake/metadata/**/*")]
    assert clone.jobs() == {}
    assert "Nothing to be done" in clone.run("snakemake", "--dry-run")


def test_a_reader_with_the_remote_makes_every_table_again_without_training(recorded, tmp_path):
    recorded.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Workspace(tmp_path / "clone")
    clone.run("dvc", "pull", "--quiet")
    for name in ("tables", "figures"):
        shutil.rmtree(clone.folder / "results/digits" / name)
    (clone.folder / "results/digits/runs.csv").unlink()
    assert {*clone.jobs()} == {
        *("all", "collect", "digits"),
    }
    clone.snakemake()
    assert clone.run("git", "status", "--porcelain") == "", "the same bytes as those that were committed"
    changed = [line.split()[-1] for line in clone.run("dvc", "status").splitlines() if "modified:" in line]
    assert changed == ["results/digits/benchmarks/report"], "how long it took is the only news"


def test_a_reader_without_the_remote_runs_everything(recorded, tmp_path):
    recorded.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    jobs = Workspace(tmp_path / "clone").jobs()
    assert (jobs["prepare"], jobs["train"], jobs["profile"]) == (1, 4, 4)


def test_an_old_revision_is_as_finished_as_the_new_one(newer, tmp_path):
    workspace = newer.copy(tmp_path / "w")
    for revision in ("HEAD~1", "main"):
        workspace.run("git", "checkout", "--quiet", revision)
        workspace.run("dvc", "checkout", "--quiet", "--force")
        assert CLEAN in workspace.run("dvc", "status")
        assert workspace.jobs() == {}
    params = workspace.read()
    params["experiments"]["digits"]["overrides"] = {"mobilenetv1": {"lr": 0.03}}
    workspace.write(params)
    assert workspace.jobs()["train"] == 2, "nothing to do must not mean that records are missing"


def test_another_way_to_write_the_settings_is_no_change(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
    path = workspace.folder / "recipes.yaml"
    path.write_text("# a remark\n" + path.read_text().replace("lr: 0.02", "lr: 0.020"))
    params = workspace.folder / "params.yaml"
    params.write_text("# a remark\n" + params.read_text())
    assert CLEAN in workspace.run("dvc", "status")
    assert workspace.jobs() == {}


def test_repro_trains_only_what_a_parameter_belongs_to(recorded, newer):
    before, after = (workspace.contents("runs/*/*/metrics.json") for workspace in (recorded, newer))
    assert {path for path in after if after[path] != before[path]} == {path for path in after if "mobilenetv1" in path}
    assert sorted(path.stem for path in newer.folder.glob("logs/digits/train/*.log")) == [
        "mobilenetv1-none-10k",
        "mobilenetv1-solu_s1-10k",
    ]
    assert CLEAN in newer.run("dvc", "status")
    assert newer.jobs() == {}


@pytest.mark.parametrize(
    ("file", "out", "rule"),
    [
        ("tables/accuracy.tex", "results/digits/tables", "digits"),
        ("runs/nodepth_a-none-10k/seed1/metrics.json", "results/digits/runs", "train"),
    ],
)
def test_a_damaged_result_is_noticed_by_both(recorded, tmp_path, file, out, rule):
    workspace = recorded.copy(tmp_path / "w")
    path = workspace.folder / "results/digits" / file
    path.write_text(path.read_text() + "\n")
    assert out in workspace.run("dvc", "status")
    assert workspace.jobs()[rule] == 1


def test_old_results_beside_new_knowledge_do_not_pass_for_new_ones(recorded, newer, tmp_path):
    """Runs of one revision under settings, metadata and records of another, as half a checkout leaves them."""
    workspace = newer.copy(tmp_path / "w")
    runs = workspace.folder / "results/digits/runs"
    shutil.rmtree(runs)
    shutil.copytree(recorded.folder / "results/digits/runs", runs, copy_function=shutil.copyfile)
    assert workspace.jobs()["train"] == 2
    workspace.run("dvc", "repro")
    assert workspace.contents("runs/**/*") == newer.contents("runs/**/*")
    assert CLEAN in workspace.run("dvc", "status")
    assert workspace.jobs() == {}


def test_nothing_that_is_versioned_holds_a_path_of_this_machine(recorded, tmp_path):
    places = [*recorded.folder.glob("results/**/*"), *(recorded.folder / name for name in ("dvc.lock", "dvc.yaml"))]
    records = [path for path in places if path.match("records/*.json") or path.name == "record.json"]
    assert len(records) == 4
    needles = [str(recorded.folder).encode(), str(tmp_path.parent).encode(), str(ROOT).encode()]
    found = {path for path in places if path.is_file() for needle in needles if needle in path.read_bytes()}
    assert found == set()
    assert "type" not in (ROOT / ".dvc/config").read_text(), "links into the cache would let a run write into it"


@pytest.mark.slow
def test_an_experiment_apart_trains_only_what_its_setting_belongs_to(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
    change = "++experiments.digits.overrides={mobilenetv1: {lr: 0.01}}"
    listen(workspace)
    workspace.run("dvc", "exp", "run", "--temp", "--name", "slower", "--set-param", change)
    assert {run.split("-")[0] for run in epochs(workspace)} == {"mobilenetv1"}
    assert CLEAN in workspace.run("dvc", "status"), "the workspace is as it was"
    difference = json.loads(workspace.run("dvc", "exp", "diff", "main", "slower", "--json"))
    (metrics,) = difference["metrics"].values()
    changed = {key for key, values in metrics.items() if values.get("diff")}
    assert changed and all("mobilenetv1" in key for key in changed)
    assert any("lr" in key for params in difference["params"].values() for key in params)
    assert "slower" in workspace.run("dvc", "exp", "show", "--only-changed", "--csv")
    assert "index.html" in workspace.run("dvc", "plots", "diff", "main", "slower")


@pytest.mark.slow
def test_experiments_wait_in_a_queue(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
    for name, rate in (("slow", 0.01), ("fast", 0.03)):
        workspace.run("dvc", "exp", "run", "--queue", "--name", name, "-S", f"recipes.yaml:digits.lr={rate}")
    workspace.run("dvc", "exp", "run", "--run-all")
    status = workspace.run("dvc", "queue", "status")
    assert status.count("Success") == 2, status
    for name, rate in (("slow", 0.01), ("fast", 0.03)):
        difference = json.loads(workspace.run("dvc", "exp", "diff", "main", name, "--json"))
        assert difference["params"]["recipes.yaml"]["digits.lr"]["new"] == rate
    assert CLEAN in workspace.run("dvc", "status"), "the workspace is as it was"


@pytest.mark.slow
def test_a_forced_rerun_is_recorded_as_the_same(recorded, tmp_path):
    workspace = recorded.copy(tmp_path / "w")
    lock = yaml.safe_load((workspace.folder / "dvc.lock").read_text())
    workspace.snakemake("--forceall", "--config", "again=1")
    workspace.run("dvc", "repro")
    again = yaml.safe_load((workspace.folder / "dvc.lock").read_text())
    for stage, entry in lock["stages"].items():
        outs = [out for out in entry["outs"] if "benchmarks" not in out["path"]]
        assert outs == [out for out in again["stages"][stage]["outs"] if "benchmarks" not in out["path"]]


FAKE = """\
#!/bin/bash
# Stands before the real command and makes results in no time, with their name and the value of a setting in them.
put() {{
    for file in "$@"; do
        mkdir -p $(dirname $file)
        case $file in
            */record*.json) printf '[]%*s\\n' $(echo $file | cksum | cut -c1-3) > $file ;;  # spaces tell them apart
            *) echo "{{\\"$file\\": \\"$(grep '^  lr:' recipes.yaml)\\"}}" > $file ;;
        esac
    done
}}
case "$1 $2" in
    "run results/data"*) put $2 ;;
    "run "*) ;;
    "record data") put results/data/$3/record.json ;;
    "record train")
        put results/$3/{{runs/mobilenetv1-none-10k/seed0/metrics.json,baseline.json}}
        put results/$3/{{records/train.json,benchmarks/train/a}} ;;
    "record profile")
        put results/$3/{{profiles/mobilenetv1-none-10k/seed0.csv,records/profile.json,benchmarks/profile/a}} ;;
    "record report")
        put results/$3/{{runs.csv,claims.csv,claims.md,report.html}}
        put results/$3/{{tables/accuracy.tex,figures/accuracy.pdf,shown/accuracy.png}}
        put results/$3/{{records/report.json,benchmarks/report/a}}
        echo '{{"a": 1}}' > results/$3/metrics.json ;;
    fingerprint*) exec {real} "$@" ;;
    dvc-files*) exec {real} "$@" ;;
    prune*) exec {real} "$@" ;;
esac
"""


@pytest.fixture
def pretended(tmp_path) -> Workspace:
    """A repository whose results take no time to make; everything around them is real."""
    workspace = Workspace.of_this_repository(tmp_path / "w")
    stand_before(workspace, FAKE)
    params = small_params()
    params["experiments"]["mine"] = params["experiments"]["digits"] | {"seeds": [0]}
    params["data"]["others"] = params["data"]["digits"]
    workspace.write(params)
    return workspace


def record(workspace: Workspace, name: str | None = None, commit: bool = True) -> None:
    """Do what `make record` does, and commit."""
    workspace.run("lowparam", "dvc-files", *([name] if name else []))
    workspace.run("dvc", "repro", *([f"results/{name}/dvc.yaml"] if name else []))
    if commit and workspace.run("git", "status", "--porcelain"):
        workspace.commit()


def results(workspace: Workspace) -> dict[str, bytes]:
    """What is in results, but for the files that describe it."""
    found = [path for path in workspace.folder.glob("results/**/*") if path.is_file() and path.name[0] != "."]
    described = ("dvc.yaml", "dvc.lock", "code.json")
    return {str(path.relative_to(workspace.folder)): path.read_bytes() for path in found if path.name not in described}


def nothing_is_lost(workspace: Workspace, *commands: tuple[str, ...], complete: bool = True) -> None:
    """Run documented commands of DVC and the undo of docs/dvc.md; afterwards, every result must be there."""
    before = results(workspace)
    for command in (*commands, ("dvc", "exp", "run", "--set-param", "recipes.yaml:digits.lr=0.00001")):
        workspace.run(*command)
        assert results(workspace).keys() == before.keys(), command
    workspace.run("git", "checkout", "--quiet", ".")
    workspace.run("dvc", "checkout", "--force", "--allow-missing")
    assert results(workspace) == before
    assert (CLEAN in workspace.run("dvc", "status")) == complete


@pytest.mark.slow
def test_no_result_is_lost_when_an_experiment_enters_or_leaves_replicate_is_renamed_or_deleted(pretended):
    workspace, params = pretended, pretended.read()
    record(workspace)
    nothing_is_lost(workspace)

    # digits leaves, mine enters
    workspace.write(params | {"replicate": ["mine"]})
    record(workspace)
    assert "results/digits/report.html" in results(workspace)
    nothing_is_lost(workspace)

    # digits enters again, mine stays; nothing is to be made
    workspace.write(params | {"replicate": ["mine", "digits"]})
    workspace.run("lowparam", "dvc-files")
    changed = [line for line in workspace.run("dvc", "status").splitlines() if "record" in line]
    assert changed == [], "what was recorded is known under the new names of stages"
    record(workspace)
    nothing_is_lost(workspace)

    # mine gets another name, and reads other data
    old = params["experiments"].pop("mine")
    params["experiments"]["ours"] = old | {"data": "others"}
    workspace.write(params | {"replicate": ["ours", "digits"]})
    record(workspace)
    assert {"results/mine/report.html", "results/ours/report.html"} <= results(workspace).keys()
    nothing_is_lost(workspace)

    # ours is deleted, and its data with it; digits is recorded apart
    del params["experiments"]["ours"], params["data"]["others"]
    params["experiments"]["last"] = params["experiments"]["digits"]
    workspace.write(params | {"replicate": ["last"]})
    record(workspace)
    record(workspace, "digits")
    assert {"results/ours/report.html", "results/data/others/manifest.json"} <= results(workspace).keys()
    nothing_is_lost(workspace, ("dvc", "checkout", "--force"))


@pytest.mark.slow
def test_the_undo_succeeds_in_a_clone_that_lacks_the_results_of_other_experiments(pretended):
    record(pretended)
    pretended.write(pretended.read() | {"replicate": ["mine"]})
    record(pretended)
    pretended.run("git", "clone", "--quiet", ".", str(pretended.folder.with_name("clone")))
    clone = Workspace(pretended.folder.with_name("clone"), pretended.bin)
    clone.run("dvc", "repro")
    nothing_is_lost(clone, complete=False)
    assert "results/mine/report.html" in results(clone)
    assert "results/digits/report.html" not in results(clone)


@pytest.mark.slow
def test_what_prune_deletes_does_not_come_back(pretended):
    params = pretended.read()
    params["experiments"]["mine"]["data"] = "others"
    pretended.write(params)
    record(pretended)
    record(pretended, "mine")
    kept = {file for file in results(pretended) if "mine" not in file and "others" not in file}
    del params["experiments"]["mine"], params["data"]["others"]
    pretended.write(params)
    record(pretended)
    assert results(pretended).keys() > kept
    pretended.run("lowparam", "prune", "--yes")
    pretended.commit()
    pretended.run("dvc", "checkout", "--force")
    assert results(pretended).keys() == kept
    assert CLEAN in pretended.run("dvc", "status")


@pytest.mark.slow
def test_an_experiment_that_left_replicate_is_kept_though_its_file_is_not_committed(pretended):
    record(pretended)
    pretended.write(pretended.read() | {"replicate": ["mine"]})
    record(pretended, commit=False)
    pretended.run("git", "add", "results/mine")
    pretended.run("git", "commit", "--quiet", "--all", "--message", "without results/digits/dvc.yaml")
    nothing_is_lost(pretended)
