"""Hundreds of runs are planned and compared in seconds. docs/performance.md has the times for thousands."""

import pytest

from simulated import grid, simulate
from workspace import busy

SECONDS = 5  # of CPU time, beyond what the tools take to start


@pytest.mark.slow
def test_finding_nothing_to_do_in_300_runs_takes_seconds(finished, tmp_path):
    workspace = simulate(finished, tmp_path, grid(300))
    workspace.snakemake()
    workspace.run("dvc", "repro")

    def seconds(*command: str) -> float:
        start = busy()
        workspace.run(*command)
        return busy() - start

    assert len(workspace.contents("runs/*/*/metrics.json")) == 300
    assert workspace.jobs() == {}
    assert seconds("snakemake", "--dry-run") - seconds("snakemake", "--version") < SECONDS
    assert seconds("dvc", "status") - seconds("dvc", "--version") < SECONDS
