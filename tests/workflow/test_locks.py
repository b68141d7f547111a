"""A kill leaves no lock that stops the next start, and a running workflow keeps its own."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lowparam.engine import stale_locks

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
    (tmp_path / "snakemake").write_text("import time; print('ready', flush=True); time.sleep(60)")
    process = subprocess.Popen([sys.executable, "snakemake"], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_the_lock_of_a_process_that_is_gone_is_removed(capsys):
    stale_locks.clear()
    assert not LOCK.exists()
    assert capsys.readouterr().err == "removed the lock of a snakemake that was killed\n"


def test_the_lock_of_a_running_process_stays(snakemake):
    stale_locks.clear()
    assert LOCK.exists()
    snakemake.kill()
    snakemake.wait()
    time.sleep(0.1)
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
