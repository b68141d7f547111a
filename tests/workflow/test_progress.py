"""The progress lines of make replicate, from Snakemake's own words."""

import signal
import subprocess
import sys

from lowparam.engine import progress

OUTPUT = """\
Building DAG of jobs...
Select jobs to execute...
Execute 2 jobs...
[Sun Nov 22 18:04:37 2026]
Finished jobid: 14 (Rule: collect)
1 of 4 steps (25%) done
CalledProcessError in file "workflow/rules/report.smk", line 19:
Finished jobid: 15 (Rule: tables_digits)
4 of 4 steps (100%) done
Nothing to be done (all requested files are present and up to date).
"""


def test_steps_become_lines_with_the_time_left_and_errors_pass():
    times = iter([0.0, 100.0, 400.0])
    assert list(progress.follow(OUTPUT.splitlines(keepends=True), clock=lambda: next(times))) == [
        " 25 %  1 of 4  collect, about 5 min left",
        'CalledProcessError in file "workflow/rules/report.smk", line 19:',
        "100 %  4 of 4  tables_digits, finished in 7 min",
        "Nothing to be done (all requested files are present and up to date).",
    ]


def test_an_interrupt_is_left_to_snakemake():
    shown = subprocess.Popen(
        [sys.executable, "-m", "lowparam.cli", "progress"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    shown.stdin.write("first\n")
    assert shown.stdout.readline() == "first\n"
    shown.send_signal(signal.SIGINT)
    assert shown.communicate("Terminating processes on user request\n", timeout=30) == (
        "Terminating processes on user request\n",
        None,
    )
    assert shown.returncode == 0
