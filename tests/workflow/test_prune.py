"""make prune deletes what no experiment names, after it was allowed to, and nothing else."""

import io
from pathlib import Path

import pytest
import yaml

from lowparam import params as parameters
from lowparam.engine import prune
from workspace import Workspace, small_params

NAMED = [
    "results/digits/runs/mobilenetv1-none-10k/seed0/metrics.json",
    "results/digits/runs.csv",
    "results/digits/records/train.json",
    "results/digits/benchmarks/train/mobilenetv1-none-10k.tsv",
    "results/data/digits/manifest.json",
    "results/star/dimension.csv",
]
OWN = ["results/notes/ideas.md", "results/data/raw/a.png", "results/claims.md"]
SEED = "results/digits/runs/mobilenetv1-none-10k/seed7/metrics.json"
SCALE = "results/digits/runs/gone-none-10k/seed0/model.safetensors"
GONE = [SEED, SCALE, "results/gone/runs.csv", "results/gone/tables/a.md", "results/data/gone/manifest.json"]
TUNED = "results/tuned/tuning/mobilenetv1-none.json"


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """A folder with results that params.yaml names, results that it does not name, and files that the user made."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(small_params()))
    for path in [*NAMED, *OWN, *GONE]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("{}")
    monkeypatch.setattr(prune, "untracked", lambda experiments: [*map(Path, [SEED, SCALE, *NAMED[2:4], *OWN])])
    return tmp_path


def left() -> set[str]:
    return {str(path) for path in Path("results").rglob("*") if path.is_file()}


def test_what_nothing_names_is_listed_and_deleted_after_yes(results, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    prune.prune(parameters.load(), yes=False)
    printed = capsys.readouterr().out
    assert [line.partition(":")[0] for line in printed.splitlines()[:-1]] == [
        "results/data/gone",
        "results/gone",
        str(Path(SEED).parent),
        str(Path(SCALE).parent),
    ]
    assert printed.endswith("deleted; dvc repro records it\n")
    assert left() == {*NAMED, *OWN}
    assert not any(Path(folder).exists() for folder in ("results/gone", "results/data/gone", Path(SCALE).parents[1]))


@pytest.mark.parametrize("answer", ["", "\n", "n\n"])
def test_without_yes_nothing_is_deleted(results, monkeypatch, capsys, answer):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    prune.prune(parameters.load(), yes=False)
    assert capsys.readouterr().out.endswith("nothing deleted\n")
    assert left() == {*NAMED, *OWN, *GONE}


def test_it_says_when_every_result_is_named(results, monkeypatch, capsys):
    prune.prune(parameters.load(), yes=True)
    capsys.readouterr()
    monkeypatch.setattr(prune, "untracked", lambda experiments: [])
    prune.prune(parameters.load(), yes=True)
    assert capsys.readouterr().out == "params.yaml requires every result\n"
    assert left() == {*NAMED, *OWN}


def test_snakemake_tells_the_runs_that_are_not_named(tmp_path):
    workspace = Workspace.of_this_repository(tmp_path)
    workspace.write(small_params())
    for path in [*NAMED, *OWN, *GONE]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text('{"sha256": "0", "spec": {}, "status": "finished", "test": {}}')
    assert "nothing deleted" not in workspace.run("lowparam", "prune", "--yes")
    files = {str(path.relative_to(tmp_path)) for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert files == {*NAMED, *OWN}


def test_an_experiment_that_was_only_tuned_is_found(results):
    Path(TUNED).parent.mkdir(parents=True)
    Path(TUNED).write_text("{}")
    assert prune.unnamed(parameters.load())[Path("results/tuned")] == [Path(TUNED)]
