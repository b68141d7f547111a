"""Read Snakemake's output and print one line a finished step, with the time left; errors pass through as they are.

The time left assumes that the trainings to come take as long, in the mean, as those that are done. The name of a rule
tells how many trainings a step is: all seeds of a scale, or all trials of tuning.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from lowparam.waiting import duration

FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
COUNT = re.compile(r"(\w+) +(\d+)$")
"""A rule and how many jobs it has, in the table that Snakemake begins with."""
TUNE = re.compile(r"tune_(\d+)")
"""The name of a rule that tunes, with the number of trials."""
PER_SEED = re.compile(r"(train|profile|deploy)_([\d_]+)")
"""The name of a rule that trains, profiles or exports, with each seed."""
PROFILE = 0.1
"""How long a profile takes, in trainings; all else takes about as long."""
DEPLOY = 18.0
"""Seconds that the export of a run takes, with 32 and 8 bits and its measurements; small networks hardly differ."""
STEPS = re.compile(r"(\d+) of (\d+) steps \((\d+)%\) done")
# What Snakemake prints at every start or between two steps, without news in it.
NOISE = re.compile(
    r"Using workflow specific profile|Assuming unrestricted|Building DAG|Using shell|Provided cores|Rules claiming"
    r"|Singularity containers|Select jobs to execute|Execute \d+ jobs|Complete log|Elapsed time"
    r"|\[\w+ \w+ +\d+ [\d:]+ \d+\]|$"
)


def follow(lines: Iterable[str], clock=time.monotonic) -> Iterator[str]:
    """Turn Snakemake's lines into lines of progress."""
    start, rule = clock(), ""
    jobs: Counter[str] = Counter()
    finished: Counter[str] = Counter()
    for line in lines:
        line = line.rstrip("\n")
        if found := FINISHED.match(line):
            rule = found[1]
            finished[rule] += 1
        elif found := STEPS.match(line):
            done, total, percent = map(int, found.groups())
            known = finished.total() == done and jobs.total() == total
            share = work(finished) / work(jobs) if known else done / total
            elapsed = clock() - start
            left = elapsed / share - elapsed
            rest = f"about {duration(left)} left" if done < total else f"finished in {duration(elapsed)}"
            if known and TUNE.fullmatch(rule):
                rest = f"{trials(finished)} of {trials(jobs)} trials, {rest}"
            yield f"{percent:3d} %  {done} of {total}  {rule}, {rest}"
        elif found := COUNT.match(line):
            if found[1] != "total":
                jobs[found[1]] = int(found[2])
            yield line
        elif not NOISE.match(line):
            yield line


def work(jobs: Counter[str]) -> float:
    """Return how long jobs take, in trainings, by the names of their rules."""
    return sum(count * _trainings(rule) for rule, count in jobs.items())


def trials(jobs: Counter[str]) -> int:
    """Return how many trials of tuning are in jobs, without those that extend a list or check a choice."""
    return sum(count * int(found[1]) for rule, count in jobs.items() if (found := TUNE.fullmatch(rule)))


def _trainings(rule: str) -> float:
    if found := TUNE.fullmatch(rule):
        return int(found[1])
    if found := PER_SEED.fullmatch(rule):
        return len(found[2].split("_")) * (1 if found[1] == "train" else PROFILE)
    return PROFILE
