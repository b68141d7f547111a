"""What `make status` prints about runs, time and disk."""

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from filelock import FileLock
from rich.console import Console

from lowparam import params as parameters
from lowparam import paths, runs
from lowparam.cli import report
from lowparam.engine import plans, status
from lowparam.errors import LowparamError
from lowparam.params import Params, run_spec
from workspace import ROOT, small_params

KEYS = [("mobilenetv1", 0), ("mobilenetv1", 1), ("nodepth_a", 0), ("nodepth_a", 1)]


@pytest.fixture
def params(tmp_path, monkeypatch) -> Params:
    monkeypatch.chdir(tmp_path)
    settings = small_params()
    settings["experiments"]["digits"]["probes"] = ["none"]
    settings["experiments"]["later"] = settings["experiments"]["digits"]
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    return parameters.load()


def finish(params: Params, architecture: str, seed: int, **changed) -> None:
    """Write the metrics of a run that was made just now, except for what `changed` sets."""
    (run,) = [run for run in params.runs("digits") if (run.scale.architecture, run.seed) == (architecture, seed)]
    made = runs.made_with(params, run.scale, data_sha256="d")
    metrics = {"status": changed.pop("status", "finished"), "spec": run_spec(params, run), "made_with": made | changed}
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "metrics.json").write_text(json.dumps(runs.seal(metrics)))


def words(params: Params) -> dict[tuple[str, int], str]:
    return {(run.scale.architecture, run.seed): word for run, word in runs.states(params, "digits").items()}


def test_what_came_of_a_run_is_told_from_missing_ones(params):
    finish(params, "mobilenetv1", 0)
    finish(params, "nodepth_a", 1, status="diverged")
    finish(params, "nodepth_a", 0, status="untrained")
    assert words(params) == dict(zip(KEYS, ["finished", "missing", "untrained", "diverged"], strict=True))


@pytest.mark.parametrize("changed", [{"torch": "1.0.0"}, {"code_sha256": "other"}, {"data_sha256": "other"}])
def test_a_run_made_with_something_else_is_stale(params, changed):
    Path("results/data/digits").mkdir(parents=True)
    Path("results/data/digits/manifest.json").write_text('{"sha256": "d"}')
    finish(params, "mobilenetv1", 0)
    finish(params, "nodepth_a", 0, **changed)
    assert words(params) == dict(zip(KEYS, ["finished", "missing", "stale", "missing"], strict=True))


def test_a_run_of_other_settings_is_stale(params):
    finish(params, "nodepth_a", 0)
    settings = yaml.safe_load(Path("params.yaml").read_text())
    settings["experiments"]["digits"]["overrides"] = {"nodepth_a": {"lr": 0.5}}
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    assert words(parameters.load())["nodepth_a", 0] == "stale"


def test_a_run_is_running_while_a_process_holds_its_scale(params):
    work = Path(".lowparam/runs/digits/nodepth_a-none-10k")
    (work / "seed0").mkdir(parents=True)
    assert words(params)["nodepth_a", 0] == "missing", "left behind by a process that is gone"
    with FileLock(f"{work}.lock"):
        assert words(params)["nodepth_a", 0] == "running"
        assert words(params)["nodepth_a", 1] == "missing"


def test_a_stale_run_is_running_while_it_is_trained_anew(params):
    for seed in (0, 1):
        finish(params, "nodepth_a", seed, torch="1.0.0")
    work = Path(".lowparam/runs/digits/nodepth_a-none-10k")
    (work / "seed0").mkdir(parents=True)
    assert words(params)["nodepth_a", 0] == "stale"
    with FileLock(f"{work}.lock"):
        assert words(params)["nodepth_a", 0] == "running"
        assert words(params)["nodepth_a", 1] == "stale"


def test_the_time_left_is_that_of_the_plan_for_the_runs_to_come(params):
    import pandas as pd

    names = [scale.name for scale in params.scales("digits")]
    plans.keep(params, "digits", pd.DataFrame({"scale": names, "seconds": [100, 500], "memory_mb": [1, 1]}))
    todo = params.runs("digits")
    assert status.seconds(params, todo) == 600
    assert status.seconds(params, [run for run in todo if run.seed == 0]) == 300
    assert status.about(params, todo, {}) == "about 6 min on 2 cores, profiles included"


def try_value(params: Params, scale, lr: float) -> None:
    """Write the metrics of a trial that was made just now."""
    spec = runs.trial_spec(params, parameters.Run(scale, 100), {"lr": lr})
    metrics = {"status": "finished", "spec": spec, "made_with": runs.made_with(params, scale, data_sha256="d")}
    folder = runs.trial_folder(paths.trials("digits", scale.family), scale, {"lr": lr}) / "seed100"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(runs.seal(metrics)))


def test_trials_of_tuning_to_come_are_counted_and_take_their_time(params, monkeypatch):
    import pandas as pd

    settings = yaml.safe_load(Path("params.yaml").read_text())
    tune = {"lr": [0.01, 0.03, 0.1], "budget": "10k", "seeds": [100]}
    settings["experiments"]["digits"] = settings["experiments"]["digits"] | {"tune": tune}
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    params = parameters.load()
    first, second = params.families("digits")
    assert status.trials_left(params, "digits") == {first: 3, second: 3}
    assert status.trials_left(params, "later") == {}

    try_value(params, first, 0.03)
    try_value(params, second, 0.2)  # which is not listed
    assert status.trials_left(params, "digits") == {first: 2, second: 3}
    seconds = {f"{first.family} (tuning)": 300, f"{second.family} (tuning)": 600}
    seconds |= {scale.name: 1000 for scale in params.scales("digits")}
    table = pd.DataFrame({"scale": seconds.keys(), "seconds": seconds.values(), "memory_mb": 1})
    plans.keep(params, "digits", table)
    assert status.seconds_of_trials(params, status.trials_left(params, "digits")) == 200 + 600
    monkeypatch.setattr(status.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0, stdout="{}"))
    found = {"digits": runs.states(params, "digits")}
    assert status.pending(params, found)[-1] == (
        "and tune 2 networks in at least 5 trials and train 4 runs: about 25 min on 2 cores, profiles included"
    )

    choice = {"chosen": {"lr": 0.03}, "identity": runs.tuning_identity(params, first)}
    paths.tuning("digits").mkdir(parents=True)
    paths.tuning("digits", first.family).write_text(json.dumps(runs.seal(choice)))
    assert status.trials_left(params, "digits") == {second: 3}


def test_cores_are_read_as_snakemake_reads_them(params):
    Path("profiles").unlink()
    profile = Path("profiles/default/config.yaml")
    profile.parent.mkdir(parents=True)
    for text, count in {"cores: 3": 3, "cores: '4'": 4, "cores: all": len(os.sched_getaffinity(0))}.items():
        profile.write_text(text)
        assert status.cores() == count
    for text in ("cores: many", "cores: 0", "quiet: host", ""):
        profile.write_text(text)
        with pytest.raises(LowparamError, match="cores: write a number or all, not"):
            status.cores()


def test_what_dvc_found_changed_is_said_in_one_line():
    found = [{"changed deps": {"workflow/rules": "modified", "params.yaml": {"recipes.digits": "modified"}}}, "always"]
    assert status.reasons(found) == "changed deps workflow/rules, params.yaml (recipes.digits); always"


def test_disk_is_counted_by_what_it_holds(params):
    for path, count in {
        "results/data/digits/images.safetensors": 10,
        "results/digits/runs/a-none-10k/seed0/model.safetensors": 200,
        "results/digits/runs/a-none-10k/seed0/metrics.json": 3000,
        "results/digits/tables/a.md": 40_000,
        ".lowparam/runs/digits/b": 500_000,
    }.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(bytes(count))
    assert [*status.disk().values()] == [10, 200, 43_000, 0, 500_000]


def test_the_screen_names_the_experiments_with_results(params):
    finish(params, "mobilenetv1", 0)
    console = Console(width=120, file=io.StringIO())
    console.print(status.experiments_table(params, {name: runs.states(params, name) for name in params.experiments}))
    header, row = console.file.getvalue().splitlines()
    assert header.split() == [
        *("experiment", "runs", "finished", "running", "untrained", "diverged", "stale", "missing", "recorded")
    ]
    assert row.split() == ["digits", "4", "1", "3", "no"]


def test_a_report_on_runs_of_other_settings_says_so(params, capsys):
    table = Path("results/digits/runs.csv")
    assert runs.difference(params, "digits") is None, "there is no table"
    for architecture, seed in KEYS:
        finish(params, architecture, seed)

    def list_runs(*folders):
        rows = [f"mobilenetv1,none,10k,0,finished,0.9,{folder}\n" for folder in folders]
        table.write_text("".join(["architecture,probe,budget,seed,status,test_accuracy,folder\n", *rows]))

    folders = [run.folder.as_posix() for run in params.runs("digits")]
    list_runs(*folders)
    assert runs.difference(params, "digits") is None
    list_runs(*folders[1:], "results/digits/runs/convnext-none-10k/seed0", "other")
    finish(params, "mobilenetv1", 0, torch="1.0.0")
    told = (
        "results/digits/runs.csv has other runs than params.yaml describes: 2 not in params.yaml, 1 not in the table, "
        "1 made with other settings, data or code; run: lowparam run digits"
    )
    assert runs.difference(params, "digits") == told
    assert report._settings("digits").experiments.keys() == params.experiments.keys()
    assert capsys.readouterr().err == f"lowparam: {told}\n"
