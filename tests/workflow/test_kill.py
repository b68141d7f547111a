"""A power cut costs no finished run and changes no bit."""

import random
import shutil
import time

import pytest

from workspace import Workspace, epochs, kill, listen, small_params


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
    for _ in range(kills):
        process = workspace.start(*command)
        ends = time.monotonic() + finished.seconds * draw.uniform(0.2, 0.5)
        while time.monotonic() < ends and process.poll() is None:
            time.sleep(0.1)
        interrupted += process.poll() is None
        kill(process)
        at_kills.append((published(workspace), len(epochs(workspace))))
    assert interrupted > kills / 2, "most kills must have met a running workflow"
    said = workspace.run(*command)
    assert "finished in" in said or "Nothing to be done" in said
    for whole, count in at_kills:
        assert whole.isdisjoint(epochs(workspace)[count:])
    results, undisturbed = (
        {path: content for path, content in one.contents("**/*").items() if not path.startswith("benchmarks/")}
        for one in (workspace, finished)
    )
    assert results == undisturbed
    assert workspace.jobs() == {}


def test_a_kill_after_the_last_run_but_before_the_end_of_its_job_repeats_no_run(workspace):
    scale = "mobilenetv1-none-10k"
    before = workspace.contents(f"runs/{scale}/*/*")
    runs = {f"{scale}/seed{seed}" for seed in (0, 1)}
    shutil.rmtree(workspace.folder / "results/digits/runs" / scale)
    listen(workspace)
    process = workspace.start("snakemake", "--cores", "2")
    while not runs <= published(workspace):
        assert process.poll() is None
        time.sleep(0.002)
    kill(process)
    assert set(epochs(workspace)) == runs
    before_the_kill = len(epochs(workspace))
    assert workspace.jobs()["train"] == 1, "Snakemake did not see the job end"
    workspace.snakemake()
    assert len(epochs(workspace)) == before_the_kill
    assert workspace.contents(f"runs/{scale}/*/*") == before
