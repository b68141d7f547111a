"""A power cut costs no finished run and changes no bit."""

import os
import random
import shutil
import signal
import subprocess
import time

import psutil
import pytest

from workspace import Workspace, await_that, epochs, hold, kill, listen, paused, small_params

EPOCHS = 24  # of the small grid: two architectures, two probes, two seeds, three epochs


def published(workspace: Workspace) -> set[str]:
    """The runs that are whole: metrics.json is written last."""
    found = workspace.folder.glob("results/digits/runs/*/*/metrics.json")
    return {f"{file.parent.parent.name}/{file.parent.name}" for file in found}


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_kills_of_make_replicate_repeat_no_finished_run_and_change_no_bit(finished, tmp_path, kills):
    workspace = Workspace.of_this_repository(tmp_path / "w")
    workspace.write(small_params())
    listen(workspace)
    (tmp_path / ".installed").touch()
    command = ("make", f"VENV={tmp_path}", "replicate")
    draw, interrupted, at_kills = random.Random(0), 0, []

    def done() -> int:
        """How much is done: epochs that were trained, and files that are there."""
        return len(epochs(workspace)) + len([*workspace.folder.glob("results/digits/**/*.*")])

    whole_work = EPOCHS + len([*finished.folder.glob("results/digits/**/*.*")])
    for share in sorted(draw.uniform(0.1, 0.7) for _ in range(kills)):
        process = workspace.start(*command)
        interrupted += await_that(lambda share=share: done() >= share * whole_work, process)
        time.sleep(draw.uniform(0, 0.1))  # so that a kill may also meet a file that is being written
        kill(process)
        at_kills.append((published(workspace), len(epochs(workspace))))
    assert interrupted > kills / 2, "most kills must have met a running workflow"
    said = workspace.run(*command)
    assert "finished in" in said or "Nothing to be done" in said
    for whole, count in at_kills:
        assert whole.isdisjoint(epochs(workspace)[count:])
    assert workspace.repeatable("**/*") == finished.repeatable("**/*")
    assert workspace.jobs() == {}


def test_a_kill_after_the_last_run_but_before_the_end_of_its_job_repeats_no_run(workspace):
    scale = "mobilenetv1-none-10k"
    before = workspace.contents(f"runs/{scale}/*/*")
    runs = {f"{scale}/seed{seed}" for seed in (0, 1)}
    shutil.rmtree(workspace.folder / "results/digits/runs" / scale)
    held, released = hold(workspace)
    process = workspace.start("snakemake", "--cores", "2")
    assert await_that(held.exists, process)
    assert runs <= published(workspace)
    kill(process)
    released.touch()
    assert set(epochs(workspace)) == runs
    before_the_kill = len(epochs(workspace))
    assert workspace.jobs()["train"] == 1, "Snakemake did not see the job end"
    workspace.snakemake()
    assert len(epochs(workspace)) == before_the_kill
    assert workspace.contents(f"runs/{scale}/*/*") == before


@pytest.mark.parametrize("noticed", [True, False])
def test_a_process_that_has_ended_is_neither_killed_nor_paused(noticed):
    process = subprocess.Popen(["true"], stdout=subprocess.PIPE)
    process.stdout.read()  # until it has closed it
    if noticed:
        process.wait()
    else:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with paused(process):
        pass
    kill(process)
    assert process.returncode == 0


def test_a_kill_reaches_what_a_process_started():
    script = "sleep 1000 & sleep 1000 & echo $!; wait"
    process = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True)
    grandchild = psutil.Process(int(process.stdout.readline()))
    kill(process)
    grandchild.wait()
    assert process.returncode == -signal.SIGKILL
