"""What Snakemake knows of a result goes with the result, and with nothing else."""

import json
import os
from pathlib import Path

import pytest
from snakemake.persistence.file import FilePersistence

from lowparam import runs
from lowparam.engine import metadata_records
from lowparam.errors import LowparamError
from quick import make_params

WEIGHTS = Path("results/small/runs/a-none-10k/seed0/model.safetensors")
TABLE = Path("results/small/tables/accuracy.md")
CODE = Path("code.py")


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch) -> None:
    """Two results of one job, with the entries that Snakemake would have written."""
    monkeypatch.chdir(tmp_path)
    metadata_records.cached_sha256.cache_clear()
    CODE.write_text("first")
    for file in (WEIGHTS, TABLE):
        make(file, "weights")


def make(file: Path, content: str, params: str = "old") -> None:
    """Make a result as Snakemake does, and note how."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    note(file, params)


def note(file: Path, params: str) -> None:
    entry = {
        "params": [params],
        "input_checksums": {str(CODE): f"sha256:{metadata_records.sha256(CODE)}"},
        "job_hash": 7,
    }
    entry |= {"starttime": 1.0, "endtime": file.stat().st_mtime}
    metadata_records.write(metadata_records.entry_path("metadata", file), entry)


def put(file: Path, content: str) -> None:
    """Put a file there as git, DVC or a person does."""
    file.write_text(content)
    os.utime(file, (2e9, 2e9))


def params_of(file: Path) -> str | None:
    entry = metadata_records.read_entry(file)
    return entry["params"][0] if entry else None


def unfinished(file: Path) -> bool:
    return metadata_records.entry_path("incomplete", file).exists()


def forget() -> None:
    for path in Path(".snakemake").rglob("*"):
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize("name", ["results/a.csv", "results/" + "long/" * 80 + "a.csv", "results/é@x/a b.csv"])
def test_entries_are_where_snakemake_keeps_them(name, tmp_path):
    persistence = FilePersistence(path=tmp_path / ".snakemake")
    persistence._mark_incomplete(name, None)
    assert metadata_records.entry_path("incomplete", Path(name)).read_text() == '{"external_jobid": null}'


def test_an_entry_comes_back_beside_the_file_that_it_describes():
    metadata_records.save("train", "small")
    forget()
    os.utime(WEIGHTS, (2e9, 2e9))
    metadata_records.restore()
    assert params_of(WEIGHTS) == "old"
    assert metadata_records.read_entry(WEIGHTS)["endtime"] == 2e9
    assert params_of(TABLE) is None, "the table is no part of training"
    assert not unfinished(WEIGHTS)


def test_an_entry_does_not_come_back_beside_another_file():
    metadata_records.save("train", "small")
    forget()
    put(WEIGHTS, "others")
    metadata_records.restore()
    assert params_of(WEIGHTS) is None
    assert unfinished(WEIGHTS), "nobody knows how it was made, so it must be rebuilt"


def test_a_missing_file_gets_no_entry():
    metadata_records.save("train", "small")
    forget()
    WEIGHTS.unlink()
    metadata_records.restore()
    assert params_of(WEIGHTS) is None
    assert not unfinished(WEIGHTS)


def test_what_snakemake_made_since_is_left_alone():
    metadata_records.save("train", "small")
    make(WEIGHTS, "better weights", "new")
    metadata_records.restore()
    assert params_of(WEIGHTS) == "new"
    assert not unfinished(WEIGHTS)


def test_old_results_beside_newer_metadata_get_their_own_entry():
    """The trap of pipeline and versions: Snakemake would take the old weights for what the new settings made."""
    metadata_records.save("train", "small")
    make(WEIGHTS, "better weights", "new")
    put(WEIGHTS, "weights")
    metadata_records.restore()
    assert params_of(WEIGHTS) == "old"


def test_a_file_that_is_neither_as_made_here_nor_as_recorded_is_made_again():
    metadata_records.save("train", "small")
    put(WEIGHTS, "weight")
    metadata_records.restore()
    assert unfinished(WEIGHTS)


def test_of_two_makings_of_the_same_bytes_the_one_with_the_inputs_of_now_counts():
    metadata_records.save("train", "small")
    CODE.write_text("second")
    make(WEIGHTS, "weights", "new")
    metadata_records.restore()
    assert params_of(WEIGHTS) == "new"
    metadata_records.cached_sha256.cache_clear()
    CODE.write_text("first")
    metadata_records.restore()
    assert params_of(WEIGHTS) == "old"


def test_identical_bytes_of_other_code_keep_their_entry_until_an_older_record_comes_back():
    """Otherwise a rebuilt file would be stale again at every start, until it is recorded."""
    metadata_records.save("train", "small")
    record = Path("results/small/records/train.json")
    os.utime(record, (1e9, 1e9))
    make(WEIGHTS, "weights", "new")
    metadata_records.restore()
    assert params_of(WEIGHTS) == "new"
    assert not metadata_records.has_unrestored()
    record.write_text(record.read_text() + "\n")  # git checkout
    os.utime(record, (2e9, 2e9))
    assert metadata_records.has_unrestored()
    metadata_records.restore()
    assert params_of(WEIGHTS) == "old"


def test_files_are_not_read_again_until_they_change(monkeypatch):
    metadata_records.save("train", "small")
    forget()
    metadata_records.restore()
    read = []
    monkeypatch.setattr(metadata_records, "settle", lambda file, *_: read.append(file))
    metadata_records.restore()
    assert read == []
    os.utime(WEIGHTS, (2e9, 2e9))
    metadata_records.restore()
    assert read == [WEIGHTS]


def test_a_record_has_no_times_and_is_the_same_after_making_again():
    metadata_records.save("train", "small")
    record = Path("results/small/records/train.json")
    first = record.read_bytes()
    make(WEIGHTS, "weights")
    os.utime(WEIGHTS, (2e9, 2e9))
    note(WEIGHTS, "old")
    metadata_records.save("train", "small")
    assert record.read_bytes() == first
    assert not {"starttime", "endtime", "job_hash"} & set(json.loads(first)[0]["made"])


def test_results_of_unknown_origin_are_not_recorded():
    (WEIGHTS.parent / "copied.txt").write_text("from elsewhere")
    with pytest.raises(LowparamError, match=r"seed0/copied\.txt was not made by the workflow"):
        metadata_records.save("train", "small")
    assert not Path("results/small/records").exists()
    with pytest.raises(LowparamError, match="no results of profile small"):
        metadata_records.save("profile", "small")


def test_a_result_that_was_replaced_since_it_was_made_is_not_recorded():
    put(WEIGHTS, "other weights")
    with pytest.raises(LowparamError, match=r"model\.safetensors was changed after the workflow made it; lowparam run"):
        metadata_records.save("train", "small")
    assert not Path("results/small/records").exists()


def test_what_a_kill_left_of_a_file_that_was_being_written_is_no_result():
    (WEIGHTS.parent / ".model.4711.safetensors").write_text("half of the wei")
    metadata_records.save("train", "small")
    assert "4711" not in Path("results/small/records/train.json").read_text()


def test_what_a_failed_training_left_is_made_again(monkeypatch):
    """Snakemake puts back the results that were there before, and takes them for those of the job that failed."""
    params = make_params()
    run = params.runs("quick")[0]
    identities = repr([runs.identity(params, each) for each in params.runs("quick")])
    make(run.folder / "metrics.json", "{}", identities)
    monkeypatch.setattr(runs, "_state", lambda *_: "finished")
    metadata_records.mark_stale(params)
    assert not unfinished(run.folder / "metrics.json")
    monkeypatch.setattr(runs, "_state", lambda *_: "stale")
    metadata_records.mark_stale(params)
    assert unfinished(run.folder / "metrics.json")


def test_what_snakemake_knows_nothing_of_is_made_again_if_it_is_stale(monkeypatch):
    """As `lowparam train` leaves it with other settings; Snakemake would take it for current."""
    params = make_params()
    file = params.runs("quick")[0].folder / "metrics.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    monkeypatch.setattr(runs, "_state", lambda *_: "finished")
    assert metadata_records.stale_but_believed(params) == []
    monkeypatch.setattr(runs, "_state", lambda *_: "stale")
    assert file in metadata_records.stale_but_believed(params)
    metadata_records.mark_stale(params)
    assert unfinished(file) and metadata_records.stale_but_believed(params) == []


def test_each_stage_records_its_own():
    for file in ("results/small/profiles/a-none-10k/seed0.csv", "results/small/baseline.json", "results/data/d/x.json"):
        make(Path(file), "x")
    make(Path("results/small/benchmarks/train/a.tsv"), "1 s")
    for stage, name in (("train", "small"), ("profile", "small"), ("report", "small"), ("data", "d")):
        metadata_records.save(stage, name)

    def files(record: str) -> list[str]:
        return sorted(file for job in json.loads(Path(record).read_text()) for file in job["files"])

    assert files("results/small/records/train.json") == ["results/small/baseline.json", str(WEIGHTS)]
    assert files("results/small/records/profile.json") == ["results/small/profiles/a-none-10k/seed0.csv"]
    assert files("results/small/records/report.json") == [str(TABLE)]
    assert files("results/data/d/record.json") == ["results/data/d/x.json"]


def test_what_a_crash_left_half_written_is_no_obstacle():
    metadata_records.save("train", "small")
    metadata_records.entry_path("metadata", WEIGHTS).write_text('{"rule": "tr')
    Path(".snakemake/records.json").write_text('{"results')
    metadata_records.restore()
    assert params_of(WEIGHTS) == "old"


def test_stages_describe_only_what_they_make():
    deployed = Path("results/small/deployment/a-none-10k/seed0.json")
    make(deployed, "{}")
    found = {stage: metadata_records.of_stage(stage, "small")[1] for stage in ("train", "deploy", "report")}
    assert found == {"train": [WEIGHTS], "deploy": [deployed], "report": [TABLE]}
