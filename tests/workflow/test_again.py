"""Only the Snakemake that was given the order makes its trainings discard results."""

import os
import subprocess
import sys

import pytest

from lowparam.engine import again

ASK = "from lowparam.engine import again; print(again.is_given())"


@pytest.mark.parametrize("left_over", ["", "1", "process 4194305", "yes"])  # Linux has no process of that number
def test_a_value_that_is_left_in_a_shell_discards_nothing(left_over):
    given = {"LOWPARAM_AGAIN": left_over}
    asked = [sys.executable, "-c", ASK]
    assert subprocess.check_output(asked, text=True, env={**os.environ, **given}) == "False\n"


def test_jobs_obey_the_process_that_started_them_through_a_shell(monkeypatch):
    monkeypatch.setenv(again.VARIABLE, "")
    again.give()
    command = f"true; {sys.executable} -c '{ASK}'; true"
    assert subprocess.check_output(["bash", "-c", command], text=True) == "True\n"
    assert not again.is_given(), "the process itself is no job of it"
