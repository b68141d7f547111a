"""Read Snakemake's output and print one line a finished step, with the time left; errors pass through as they are.

The time left assumes that the steps to come take as long, in the mean, as those that are done.
"""

import re
import time
from collections.abc import Iterable, Iterator

from lowparam.waiting import duration

FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
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
    for line in lines:
        line = line.rstrip("\n")
        if found := FINISHED.match(line):
            rule = found[1]
        elif found := STEPS.match(line):
            done, total, percent = map(int, found.groups())
            elapsed = clock() - start
            left = elapsed * (total - done) / done
            rest = f"about {duration(left)} left" if done < total else f"finished in {duration(elapsed)}"
            yield f"{percent:3d} %  {done} of {total}  {rule}, {rest}"
        elif not NOISE.match(line):
            yield line
