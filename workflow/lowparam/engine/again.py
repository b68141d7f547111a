"""Let ``--config again=1`` reach the trainings that one Snakemake starts, and no others.

The order cannot be part of a job's command, because Snakemake would record another command than for other runs. So it
is a variable of the environment that names the process that gave it, and only descendants of that process obey: a value
that was left in a shell, or that somebody exported, discards nothing.
"""

import os

import psutil

__all__ = ["VARIABLE", "give", "is_given"]

VARIABLE = "LOWPARAM_AGAIN"


def give() -> None:
    """Order the trainings that this process starts to discard what they find."""
    os.environ[VARIABLE] = f"process {os.getpid()}"


def is_given() -> bool:
    """Whether a process that this one descends from gave the order."""
    value = os.environ.get(VARIABLE)
    return value is not None and value in {f"process {parent.pid}" for parent in psutil.Process().parents()}
