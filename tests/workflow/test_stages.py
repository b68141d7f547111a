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
