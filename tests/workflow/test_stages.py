"""The files by which DVC records results are those that params.yaml requires."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lowparam import params as parameters
from lowparam.engine import dvc_files
from lowparam.errors import LowparamError
from workspace import ROOT, small_params


@pytest.fixture
def two(tmp_path, monkeypatch) -> parameters.Params:
    """The small experiment, and another that `replicate` does not list, on the same data and on others."""
    monkeypatch.chdir(tmp_path)
    params = small_params()
    params["data"]["others"] = params["data"]["digits"]
    params["experiments"]["more"] = params["experiments"]["digits"] | {"seeds": [0]}
    params["experiments"]["elsewhere"] = params["experiments"]["digits"] | {"data": "others"}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    return parameters.load()


def described(path: str) -> dict:
    return yaml.safe_load(Path(path).read_text())["stages"]


def outs(path: str) -> set[str]:
    return {
        out
        for stage in described(path).values()
        for entry in (*stage["outs"], *stage.get("metrics", []))
        for out in entry
    }


def test_the_file_in_the_repository_is_the_one_that_make_record_writes(tmp_path, monkeypatch):
    params = parameters.load(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "recipes.yaml", tmp_path)
    dvc_files.write(params)
    assert Path("dvc.yaml").read_text() == (ROOT / "dvc.yaml").read_text(), "type: make record"


def test_plain_dvc_repro_makes_what_replicate_lists(two):
    dvc_files.write(two)
    assert [*described("dvc.yaml")] == ["code", "data", "train", "profile", "report"]
    assert not [out for out in outs("dvc.yaml") if "more" in out]
    assert not list(Path("results").glob("*/dvc.yaml"))


def test_an_experiment_beside_them_has_its_own_file_and_shares_the_data(two):
    dvc_files.write(two, "more")
    assert {stage["wdir"] for stage in described("results/more/dvc.yaml").values()} == {"../.."}
    assert not outs("results/more/dvc.yaml") & outs("dvc.yaml")
    assert "results/data/digits" in described("results/more/dvc.yaml")["train"]["deps"]
    assert "results/data/digits" in outs("dvc.yaml")
    assert not Path("results/data/dvc.yaml").exists()


def test_data_that_no_replicated_experiment_reads_have_a_stage_too(two):
    dvc_files.write(two, "elsewhere")
    assert outs("results/data/dvc.yaml") == {"results/data/others"}
    dvc_files.write(two, "more")
    assert Path("results/elsewhere/dvc.yaml").exists(), "recorded experiments stay recorded"
    assert outs("results/data/dvc.yaml") == {"results/data/others"}


def test_a_stage_depends_on_the_settings_of_its_experiment_alone(two):
    dvc_files.write(two, "more")
    for stage in ("train", "profile", "report"):
        assert "experiments.more" in described("results/more/dvc.yaml")[stage]["params"]
        assert "experiments.digits" not in described("results/more/dvc.yaml")[stage]["params"]


def test_several_replicated_experiments_have_stages_of_their_own(two):
    both = two.model_copy(update={"replicate": ["digits", "elsewhere"]})
    dvc_files.write(both)
    assert [name for name in described("dvc.yaml") if name.startswith(("data", "train"))] == [
        "data_digits",
        "data_others",
        "train_digits",
        "train_elsewhere",
    ]


def test_an_unknown_experiment_is_named(two):
    with pytest.raises(LowparamError, match="no experiment 'mroe'"):
        dvc_files.write(two, "mroe")


def test_an_experiment_that_replicate_lists_now_stands_in_one_file_alone(two):
    dvc_files.write(two, "elsewhere")
    dvc_files.write(two.model_copy(update={"replicate": ["digits", "elsewhere"]}))
    assert not list(Path("results").glob("*/dvc.yaml")), "DVC refuses what two stages make"
    assert "results/data/others" in outs("dvc.yaml")


def test_files_that_are_not_of_the_present_settings_are_named(two):
    dvc_files.write(two, "more")
    dvc_files.check(two)
    changed = two.model_dump()
    changed["recipes"]["other"] = changed["recipes"]["digits"]
    changed["experiments"]["more"]["recipe"] = "other"
    with pytest.raises(LowparamError, match=r"results/more/dvc\.yaml is not that of the present params\.yaml"):
        dvc_files.check(parameters.Params.model_validate(changed))


def test_git_add_before_recording_takes_nothing_along_that_dvc_keeps(two, tmp_path):
    """DVC tells git to ignore checkpoints and data only when it has recorded them."""
    shutil.copy(ROOT / ".gitignore", tmp_path)
    dvc_files.write(two, "more")
    for path in ("dvc.yaml", "results/more/dvc.yaml"):
        for stage in described(path).values():
            for out in (name for entry in stage["outs"] for name, how in entry.items() if "cache" not in how):
                file = Path(out) if Path(out).suffix else Path(out, "deep", "file.safetensors")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("large")
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], check=True)
    tracked = subprocess.run(["git", "ls-files", "results"], check=True, capture_output=True, text=True).stdout.split()
    assert tracked == ["results/more/dvc.yaml"]


def lock() -> None:
    """Record every stage that can be made, as dvc repro would, with the name of an output as its hash."""
    for file in [Path("dvc.yaml"), *Path("results").glob("*/dvc.yaml")]:
        entries = {}
        for name, stage in described(str(file)).items():
            made = [*stage["outs"], *stage.get("metrics", [])]
            entries[name] = {"cmd": stage["cmd"], "outs": [{"path": out, "md5": out} for each in made for out in each]}
        file.with_name("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))


def known() -> set[str]:
    """Return the outputs that DVC knows: those in a lock, of a stage in the dvc.yaml next to it."""
    found: list[str] = []
    for file in Path().rglob("dvc.lock"):
        stages = described(str(file.with_name("dvc.yaml")))
        for name, entry in described(str(file)).items():
            made = [*stages[name]["outs"], *stages[name].get("metrics", [])]
            assert {out["path"] for out in entry["outs"]} == {out for each in made for out in each}
            found += [out["md5"] for out in entry["outs"]]
    assert len(found) == len({*found}), "DVC refuses what two stages make"
    return {*found}


def of(*names: str, data: str = "digits") -> set[str]:
    """Return what is recorded of experiments that do not tune, on one data set."""
    parts = [f"benchmarks/{part}" for part in ("train", "profile", "report")]
    parts += [f"records/{part}.json" for part in ("train", "profile", "report")]
    parts += ["runs", "baseline.json", "profiles", "runs.csv", "claims.csv", "claims.md", "report.html"]
    parts += ["metrics.json", "tables", "figures", "shown"]
    return {
        "results/code.json",
        f"results/data/{data}",
        *(f"results/{name}/{part}" for name in names for part in parts),
    }


def test_what_is_recorded_stays_so_whatever_becomes_of_an_experiment(two):
    """It enters and leaves `replicate`, tunes no longer, gets another name, and is deleted with its data."""
    settings = two.model_dump()
    experiments, tune = settings["experiments"], {"lr": [0.01, 0.03], "budget": "10k", "seeds": [100]}

    def now(*replicate: str) -> set[str]:
        changed = parameters.Params.model_validate(settings | {"replicate": [*replicate]})
        before = known() if Path("dvc.lock").exists() else set()
        dvc_files.write(changed)
        dvc_files.check(changed)
        assert known() >= before, "what was known is known without a training"
        lock()
        return known()

    assert now("digits") == of("digits")
    assert now("more") == of("digits", "more"), "digits leaves"
    assert now("digits", "more") == of("digits", "more"), "digits enters"
    experiments["digits"]["tune"] = tune
    tuned = {f"results/digits/{name}" for name in ("benchmarks/tune", "records/tune.json", "tuning")}
    assert now("digits", "more") == of("digits", "more") | tuned
    experiments["digits"]["tune"] = None
    assert now("digits", "more") == of("digits", "more") | tuned, "digits tunes no longer"
    assert now("more") == of("digits", "more") | tuned, "and leaves"
    experiments["apart"] = experiments.pop("more") | {"data": "others", "tune": tune}
    kept = of("digits", "more") | tuned
    kept |= of("apart", data="others") | {name.replace("digits", "apart") for name in tuned}
    assert now("apart") == kept, "more is called apart, on other data, and tunes"
    experiments["last"] = experiments.pop("apart") | {"data": "digits", "tune": None}
    del settings["data"]["others"], experiments["elsewhere"]
    assert now("last") == kept | of("last"), "apart is deleted, and its data"
    assert described("results/apart/dvc.yaml")["tune"]["frozen"], "nobody knows how to make it"
    assert now("last") == kept | of("last")


def test_recorded_data_do_not_record_an_experiment_of_their_name(two):
    settings = two.model_dump()
    settings["experiments"]["others"] = settings["experiments"]["elsewhere"]
    params = parameters.Params.model_validate(settings)
    dvc_files.write(params, "elsewhere")
    lock()
    assert "results/data/others" in known()
    dvc_files.check(params)
    dvc_files.write(params)
    assert not Path("results/others/dvc.yaml").exists()


def test_what_prune_deleted_is_recorded_no_longer(two):
    settings = two.model_dump()
    settings["experiments"]["digits"]["tune"] = {"lr": [0.01, 0.03], "budget": "10k", "seeds": [100]}
    dvc_files.write(parameters.Params.model_validate(settings), "more", "elsewhere")
    lock()
    settings["experiments"]["digits"]["tune"] = None
    del settings["experiments"]["elsewhere"], settings["data"]["others"]
    left = parameters.Params.model_validate(settings)
    dvc_files.write(left)
    assert known() > of("digits", "more")
    gone = ("digits/tuning/a-none.json", "elsewhere/runs/a/seed0/metrics.json", "elsewhere/report.html")
    dvc_files.forget(
        left, [Path("results", name) for name in (*gone, "elsewhere/profiles/a", "data/others/files.json")]
    )
    assert known() == of("digits", "more")
    assert not Path("results/data/dvc.yaml").exists()
    dvc_files.forget(left, [Path("results/more/runs/old/seed0/metrics.json")])
    assert known() == of("digits", "more"), "what is described stays recorded without a file"


def test_a_file_of_an_experiment_that_never_was_recorded_goes_with_its_name(two):
    dvc_files.write(two, "more")
    settings = two.model_dump()
    settings["experiments"]["other"] = settings["experiments"].pop("more")
    dvc_files.write(parameters.Params.model_validate(settings), "other")
    assert [*Path("results").glob("*/dvc.yaml")] == [Path("results/other/dvc.yaml")]


def test_dvc_sees_every_file_of_stages(two, tmp_path):
    """It skips folders that git ignores, and what its library takes for ignored is more than what git does."""
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path)
    dvc_files.write(two, "more", "elsewhere")
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, check=True)
    listed = subprocess.run(
        ["dvc", "stage", "list", "--all", "--name-only"], check=True, capture_output=True, text=True
    )
    assert "results/data/dvc.yaml:others" in listed.stdout.split()
    assert "results/more/dvc.yaml:train" in listed.stdout.split()
