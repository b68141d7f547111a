"""What happens to a process: killed, out of disk, two at once."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workspace import paused

SCRIPT = Path(__file__).parents[1] / "helpers/train_quick.py"


def start(data, work, results, seeds=2, *dies):
    command = [sys.executable, SCRIPT, data, work, results, seeds, *dies]
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, data_folder):
    folder = tmp_path_factory.mktemp("undisturbed")
    process = start(data_folder, folder / "work", folder / "results")
    assert process.wait() == 0, process.stderr.read()
    return contents(folder / "results")


def kill_and_resume(times, seed, tmp_path, data_folder):
    """Kill a job at random moments of its training, start it again each time, and let the last start finish."""
    chance, kills, resumed = random.Random(seed), 0, 0
    while True:
        dies = [chance.uniform(0, 0.8)] if kills < times else []
        process = start(data_folder, tmp_path / "work", tmp_path / "results", 2, *dies)
        output, errors = process.communicate()
        resumed += output.count("resumes")
        if process.returncode == 0:  # it was faster, or may live
            return kills, resumed
        assert process.returncode == -signal.SIGPROF, errors
        kills += 1


def test_a_job_killed_five_times_ends_with_the_same_bytes(tmp_path, data_folder, undisturbed):
    kills, resumed = kill_and_resume(5, 0, tmp_path, data_folder)
    assert kills >= 3 and resumed >= 1
    assert contents(tmp_path / "results") == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_twenty_kills_and_more_end_with_the_same_bytes(tmp_path, data_folder, undisturbed, seed):
    kills, _ = kill_and_resume(5, seed, tmp_path, data_folder)
    assert kills >= 3
    assert contents(tmp_path / "results") == undisturbed


def test_of_two_processes_one_works_and_the_other_says_that_it_waits(tmp_path, data_folder):
    first = start(data_folder, tmp_path / "work", tmp_path / "results")
    assert "seed 0 epoch 1/3" in first.stdout.readline()
    with paused(first):
        second = start(data_folder, tmp_path / "work", tmp_path / "results")
        assert "another process trains" in second.stdout.readline()
    output, errors = second.communicate()
    assert first.communicate() and first.returncode == 0 and second.returncode == 0, errors
    assert "all seeds are trained" in output and "epoch" not in output
    assert len(list((tmp_path / "results").glob("seed*/metrics.json"))) == 2


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 280 kB: enough for some seeds of the quick experiment and not for twelve."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=280k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["work", "results"])
def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, data_folder, undisturbed, small_disk, what):
    folders = {"work": tmp_path / "work", "results": tmp_path / "results", what: small_disk / what}
    process = start(data_folder, folders["work"], folders["results"], seeds=12)
    output, errors = process.communicate()
    assert process.returncode == 1
    assert errors.count("\n") == 1 and errors.startswith("lowparam: cannot write") and "No space left" in errors
    done = contents(folders["results"] / "seed0")
    assert {Path("seed0") / name: content for name, content in done.items()} == {
        name: content for name, content in undisturbed.items() if name.parts[0] == "seed0"
    }
    if what == "results":  # with room again it resumes, and trains nothing twice
        trained = output.count("epoch")
        process = start(data_folder, folders["work"], tmp_path / "larger", seeds=12)
        more, errors = process.communicate()
        assert process.returncode == 0, errors
        assert trained + more.count("epoch") == 12 * 3


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, data_folder):
    (tmp_path / "work").write_text("a file where a folder should be")
    process = start(data_folder, tmp_path / "work", tmp_path / "results")
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.count("\n") == 1 and errors.startswith("lowparam: cannot write") and str(tmp_path / "work") in errors
