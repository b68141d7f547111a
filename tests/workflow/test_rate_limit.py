"""Snakemake looks at the open steps once for each that ends, not more and more often."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from lowparam.engine import rate_limit

STEPS = """
from lowparam.engine import rate_limit
onstart:
    rate_limit.remove(workflow)
rule all:
    input: expand("{place}", place=range(6))
rule step:
    output: "{place}"
    shell: "sleep 0.7; touch {output}"
"""


@pytest.mark.parametrize(("local", "left"), [(True, None), (False, "limit")])
def test_only_jobs_of_this_machine_start_without_a_limit(local, left):
    workflow = SimpleNamespace(local_exec=local, scheduler=SimpleNamespace(job_rate_limiter="limit"))
    rate_limit.remove(workflow)
    assert workflow.scheduler.job_rate_limiter == left


@pytest.mark.slow
def test_steps_are_looked_at_once_for_each_that_ends(tmp_path):
    (tmp_path / "Snakefile").write_text(STEPS, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--verbose"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert 6 <= done.stderr.count("Ready jobs: ") <= 8, "with the limit there are more than twice as many"
