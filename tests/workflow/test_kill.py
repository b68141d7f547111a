"""A power cut costs no finished run and changes no bit."""

import random
import time
from pathlib import Path

import psutil
import pytest

from workspace import Workspace, small_params


def kill(process) -> None:
    """Kill a process and all that it started, at once and without asking."""
    tree = [process, *psutil.Process(process.pid).children(recursive=True)]
    for member in tree:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.communicate()


def whole(workspace: Workspace) -> dict[Path, int]:
    """The runs that are published, and when: metrics.json is written last."""
    return {path: path.stat().st_mtime_ns for path in workspace.folder.glob("results/digits/runs/*/*/metrics.json")}


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 5])
def test_kills_of_make_replicate_repeat_no_finished_run_and_change_no_bit(finished, tmp_path, kills):
    workspace = Workspace.of_this_repository(tmp_path / "w")
    workspace.write(small_params())
    (tmp_path / ".installed").touch()
    command = ("make", f"VENV={tmp_path}", "replicate")
    draw, published, interrupted = random.Random(0), {}, 0
    for _ in range(kills):
        process = workspace.start(*command)
        ends = time.monotonic() + finished.seconds * draw.uniform(0.2, 0.5)
        while time.monotonic() < ends and process.poll() is None:
            time.sleep(0.1)
        interrupted += process.poll() is None
        kill(process)
        assert published.items() <= whole(workspace).items()
        published = whole(workspace)
    assert interrupted > kills / 2, "most kills must have met a running workflow"
    said = workspace.run(*command)
    assert "finished in" in said or "Nothing to be done" in said
    assert published.items() <= whole(workspace).items()
    results, undisturbed = (
        {path: content for path, content in one.contents("**/*").items() if not path.startswith("benchmarks/")}
        for one in (workspace, finished)
    )
    assert results == undisturbed
    assert workspace.jobs() == {}
