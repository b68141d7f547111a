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


TUNED = """\
Job stats:
job          count
---------  -------
prepare          1
tune_6           2
train_0_1        4
total            7

Finished jobid: 1 (Rule: prepare)
1 of 7 steps (14%) done
Finished jobid: 2 (Rule: tune_6)
2 of 7 steps (29%) done
Finished jobid: 3 (Rule: tune_6)
3 of 7 steps (43%) done
Finished jobid: 4 (Rule: train_0_1)
4 of 7 steps (57%) done
"""


def test_trials_of_tuning_count_as_trainings():
    times = iter([0.0, 1.0, 61.0, 121.0, 141.0])
    said = [line for line in progress.follow(TUNED.splitlines(), clock=lambda: next(times)) if "%" in line]
    assert said == [
        " 14 %  1 of 7  prepare, about 3 min left",
        " 29 %  2 of 7  tune_6, 6 of 12 trials, about 2 min left",
        " 43 %  3 of 7  tune_6, 12 of 12 trials, about 1 min left",
        " 57 %  4 of 7  train_0_1, about 1 min left",
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
    assert shown.communicate("Terminating processes on user request\n") == (
        "Terminating processes on user request\n",
        None,
    )
    assert shown.returncode == 0
