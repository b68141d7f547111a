"""A kill leaves no lock that stops the next start, and a running workflow keeps its own."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lowparam.engine import metadata_records, stale_locks, start

LOCK = Path(".snakemake/locks/0.output.lock")


@pytest.fixture(autouse=True)
def locked(tmp_path, monkeypatch) -> None:
    """A folder in which a Snakemake was started on this machine and locked its files."""
    monkeypatch.chdir(tmp_path)
    stale_locks.clear()
    LOCK.parent.mkdir(parents=True)
    LOCK.write_text("results/a.csv\n")


@pytest.fixture
def snakemake(tmp_path):
    """A process that looks like a Snakemake that runs in this folder."""
    (tmp_path / "snakemake").write_text("import sys; print('ready', flush=True); sys.stdin.read()")
    process = subprocess.Popen([sys.executable, "snakemake"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_the_lock_of_a_process_that_is_gone_is_removed(capsys):
    stale_locks.clear()
    assert not LOCK.exists()
    assert capsys.readouterr().err == "removed the lock of a snakemake that was killed\n"


def test_files_that_a_killed_job_was_writing_go_with_the_lock():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = Path("results/digits/profiles")
    folder.mkdir(parents=True)
    left, ours = folder / f".seed0.{ended.pid}.csv", folder / f".seed1.{os.getpid()}.csv"
    kept = [ours, folder / ".gitignore", folder / "seed0.csv"]
    for file in (left, *kept):
        file.touch()
    stale_locks.clear()
    assert not left.exists() and all(file.exists() for file in kept)


def test_the_lock_of_a_running_process_stays(snakemake):
    stale_locks.clear()
    assert LOCK.exists()
    snakemake.kill()
    snakemake.wait()
    stale_locks.clear()
    assert not LOCK.exists()


def test_a_process_in_another_folder_does_not_count(snakemake, tmp_path, monkeypatch):
    other = tmp_path / "other"
    (other / LOCK.parent).mkdir(parents=True)
    (other / LOCK).touch()
    (other / stale_locks.HOST).write_text(stale_locks.HOST.read_text())
    monkeypatch.chdir(other)
    stale_locks.clear()
    assert not LOCK.exists()


def test_a_snakemake_of_another_user_keeps_the_lock(snakemake, monkeypatch):
    def cwd(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "cwd", cwd)
    stale_locks.clear()
    assert LOCK.exists()


def test_the_lock_of_another_machine_stays(monkeypatch):
    monkeypatch.setattr(stale_locks.socket, "gethostname", lambda: "elsewhere")
    stale_locks.clear()
    assert LOCK.exists()


def test_a_second_start_next_to_a_running_one_prepares_nothing(snakemake, monkeypatch):
    """Its metadata are being written; and what is on disk is between two states, which is no reason to refuse."""
    for step in ("stale_but_believed", "mark_stale", "restore", "has_unrestored"):
        monkeypatch.setattr(metadata_records, step, lambda *_: pytest.fail("looked at what another one writes"))
    before = sorted(Path(".snakemake").rglob("*"))
    start.prepare(None)
    start.refuse_unprepared(None)
    assert sorted(Path(".snakemake").rglob("*")) == before


def test_a_snakemake_of_another_user_does_not_keep_a_folder_from_being_prepared(snakemake, monkeypatch):
    """Without metadata, results that came by DVC would pass for current ones."""

    def cwd(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "cwd", cwd)
    done = []
    for step in ("mark_stale", "restore"):
        monkeypatch.setattr(metadata_records, step, lambda *_, step=step: done.append(step))
    start.prepare(None)
    assert done == ["mark_stale", "restore"]
